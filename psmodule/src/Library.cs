using System;
using System.IO;
using System.Reflection;
using System.Runtime.InteropServices;

namespace Umx
{
    /// Memory of the library; whoever gets one gives it back with umx_buf_free.
    [StructLayout(LayoutKind.Sequential)]
    internal struct NativeBuffer
    {
        internal IntPtr Data;
        internal UIntPtr Length;
    }

    internal sealed class SessionHandle : SafeHandle
    {
        internal SessionHandle(IntPtr session) : base(IntPtr.Zero, true) { SetHandle(session); }

        public override bool IsInvalid { get { return handle == IntPtr.Zero; } }

        protected override bool ReleaseHandle()
        {
            Library.Loaded.SessionClose(handle);
            return true;
        }
    }

    internal sealed class OperationHandle : SafeHandle
    {
        internal OperationHandle(IntPtr operation) : base(IntPtr.Zero, true) { SetHandle(operation); }

        public override bool IsInvalid { get { return handle == IntPtr.Zero; } }

        protected override bool ReleaseHandle()
        {
            Library.Loaded.OperationClose(handle);
            return true;
        }
    }

    /// <summary>
    /// libumx (native/client/umx.h), loaded when it is first needed, by its full path below the module: no search path is
    /// asked, none is changed. Its functions are called through their own addresses, so that another libumx in the same
    /// process is never meant.
    /// </summary>
    internal sealed class Library
    {
        internal const uint Abi = 1;

        [UnmanagedFunctionPointer(CallingConvention.Cdecl)]
        internal delegate int AbiVersionFunction(IntPtr info);
        [UnmanagedFunctionPointer(CallingConvention.Cdecl)]
        internal delegate int SessionOpenFunction(byte[] json, UIntPtr length, out IntPtr session, out NativeBuffer error);
        [UnmanagedFunctionPointer(CallingConvention.Cdecl)]
        internal delegate int SessionIdentityFunction(SessionHandle session, out NativeBuffer json, out NativeBuffer error);
        [UnmanagedFunctionPointer(CallingConvention.Cdecl)]
        internal delegate int SessionSignFunction(SessionHandle session, byte[] bytes, UIntPtr length, out NativeBuffer signature, out NativeBuffer error);
        [UnmanagedFunctionPointer(CallingConvention.Cdecl)]
        internal delegate int OperationStartFunction(SessionHandle session, byte[] json, UIntPtr length, out IntPtr operation, out NativeBuffer error);
        [UnmanagedFunctionPointer(CallingConvention.Cdecl)]
        internal delegate int OperationNextFunction(OperationHandle operation, uint milliseconds, out NativeBuffer record);
        [UnmanagedFunctionPointer(CallingConvention.Cdecl)]
        internal delegate int OperationCancelFunction(OperationHandle operation);
        [UnmanagedFunctionPointer(CallingConvention.Cdecl)]
        internal delegate int LoginFunction(byte[] json, UIntPtr length, out NativeBuffer result, out NativeBuffer error);
        [UnmanagedFunctionPointer(CallingConvention.Cdecl)]
        internal delegate void CloseFunction(IntPtr handle);
        [UnmanagedFunctionPointer(CallingConvention.Cdecl)]
        internal delegate void BufferFreeFunction(ref NativeBuffer buffer);
        [UnmanagedFunctionPointer(CallingConvention.Cdecl)]
        internal delegate IntPtr StatusNameFunction(int status);

        private static readonly object Gate = new object();
        private static Library loaded;

        internal SessionOpenFunction SessionOpen;
        internal SessionIdentityFunction SessionIdentity;
        internal SessionSignFunction SessionSign;
        internal CloseFunction SessionClose;
        internal OperationStartFunction OperationStart;
        internal OperationNextFunction OperationNext;
        internal OperationCancelFunction OperationCancel;
        internal CloseFunction OperationClose;
        internal LoginFunction Login;
        internal BufferFreeFunction BufferFree;
        internal StatusNameFunction StatusName;
        private AbiVersionFunction abiVersion;
        private uint abi;

        private Library() { }

        /// The library; a Failure when it is missing or another one than the module was made for.
        internal static Library Loaded
        {
            get
            {
                if (loaded != null)
                    return loaded;
                lock (Gate)
                    return loaded ?? (loaded = Load(FilePath));
            }
        }

        internal static bool IsLoaded { get { return loaded != null; } }

        internal string Version { get; private set; }

        internal uint LibraryAbi { get { return abi; } }

        internal static string ModuleVersion
        {
            get { return typeof(Library).Assembly.GetName().Version.ToString(3); }
        }

        internal static string RuntimeId
        {
            get
            {
                string system = RuntimeInformation.IsOSPlatform(OSPlatform.Windows) ? "win"
                    : RuntimeInformation.IsOSPlatform(OSPlatform.OSX) ? "osx" : "linux";
                return system + "-" + RuntimeInformation.ProcessArchitecture.ToString().ToLowerInvariant();
            }
        }

        internal static string FilePath
        {
            get
            {
                string name = RuntimeInformation.IsOSPlatform(OSPlatform.Windows) ? "libumx.dll"
                    : RuntimeInformation.IsOSPlatform(OSPlatform.OSX) ? "libumx.dylib" : "libumx.so";
                string folder = Path.GetDirectoryName(typeof(Library).Assembly.Location);
                return Path.Combine(folder, "bin", RuntimeId, name);
            }
        }

        private static Library Load(string path)
        {
            if (!File.Exists(path))
                throw Failure.Library("the module " + ModuleVersion + " has no native library for " + RuntimeId,
                                      "there is no file " + path);
            var made = new Library();
            try
            {
                made.Bind(Image.Open(path));
            }
            catch (Exception problem) when (!(problem is UmxException))
            {
                Exception cause = problem.InnerException ?? problem;
                throw Failure.Library("the native library " + path + " cannot be loaded by the module " + ModuleVersion, cause.Message);
            }
            return made;
        }

        private void Bind(Image image)
        {
            abiVersion = image.Function<AbiVersionFunction>("umx_abi_version");
            ReadVersion();
            if (abi != Abi)
                throw Failure.Mismatch(ModuleVersion, Abi, Version, abi);
            SessionOpen = image.Function<SessionOpenFunction>("umx_session_open");
            SessionClose = image.Function<CloseFunction>("umx_session_close");
            SessionIdentity = image.Function<SessionIdentityFunction>("umx_session_identity");
            SessionSign = image.Function<SessionSignFunction>("umx_session_sign");
            OperationStart = image.Function<OperationStartFunction>("umx_op_start");
            OperationNext = image.Function<OperationNextFunction>("umx_op_next");
            OperationCancel = image.Function<OperationCancelFunction>("umx_op_cancel");
            OperationClose = image.Function<CloseFunction>("umx_op_close");
            Login = image.Function<LoginFunction>("umx_login");
            BufferFree = image.Function<BufferFreeFunction>("umx_buf_free");
            StatusName = image.Function<StatusNameFunction>("umx_status_name");
        }

        /// struct umx_info: size, abi, version[32].
        private void ReadVersion()
        {
            const int Size = 40;
            IntPtr info = Marshal.AllocHGlobal(Size);
            try
            {
                for (int i = 0; i < Size; i++)
                    Marshal.WriteByte(info, i, 0);
                Marshal.WriteInt32(info, Size);
                if (abiVersion(info) != 0)
                    throw new InvalidOperationException("umx_abi_version refused");
                abi = (uint)Marshal.ReadInt32(info, 4);
                Version = Marshal.PtrToStringAnsi(IntPtr.Add(info, 8));
            }
            finally
            {
                Marshal.FreeHGlobal(info);
            }
        }

        /// The bytes of a buffer, which is given back.
        internal byte[] Take(ref NativeBuffer buffer)
        {
            try
            {
                var bytes = new byte[checked((int)buffer.Length)];
                if (bytes.Length > 0)
                    Marshal.Copy(buffer.Data, bytes, 0, bytes.Length);
                return bytes;
            }
            finally
            {
                BufferFree(ref buffer);
                buffer = default;
            }
        }

        /// The JSON of a buffer, which is given back; null when it is empty.
        internal JsonObject TakeJson(ref NativeBuffer buffer)
        {
            byte[] bytes = Take(ref buffer);
            return bytes.Length > 0 ? new JsonReader().Read(bytes, bytes.Length) as JsonObject : null;
        }

        /// <summary>A loaded image. .NET Framework has no NativeLibrary, and netstandard2.0 cannot name it.</summary>
        private sealed class Image
        {
            private const uint WithAlteredSearchPath = 8;
            private static readonly Type NativeLibrary =
                Type.GetType("System.Runtime.InteropServices.NativeLibrary, System.Runtime.InteropServices", false);
            private readonly IntPtr handle;

            private Image(IntPtr image) { handle = image; }

            [DllImport("kernel32", CharSet = CharSet.Unicode, SetLastError = true)]
            private static extern IntPtr LoadLibraryExW(string path, IntPtr reserved, uint flags);

            [DllImport("kernel32", CharSet = CharSet.Ansi, SetLastError = true)]
            private static extern IntPtr GetProcAddress(IntPtr image, string name);

            internal static Image Open(string path)
            {
                if (NativeLibrary != null)
                    return new Image((IntPtr)NativeLibrary.GetMethod("Load", new[] { typeof(string) }).Invoke(null, new object[] { path }));
                IntPtr image = LoadLibraryExW(path, IntPtr.Zero, WithAlteredSearchPath);
                if (image == IntPtr.Zero)
                    throw new System.ComponentModel.Win32Exception(Marshal.GetLastWin32Error());
                return new Image(image);
            }

            internal T Function<T>(string name)
            {
                IntPtr address = NativeLibrary != null
                    ? (IntPtr)NativeLibrary.GetMethod("GetExport", new[] { typeof(IntPtr), typeof(string) }).Invoke(null, new object[] { handle, name })
                    : GetProcAddress(handle, name);
                if (address == IntPtr.Zero)
                    throw new EntryPointNotFoundException(name);
                return Marshal.GetDelegateForFunctionPointer<T>(address);
            }
        }
    }
}
