using System;
using System.Globalization;
using System.IO;
using System.Security.Cryptography;

namespace Umx
{
    /// <summary>
    /// The agent's package that the controller holds, in a folder of its own that is gone with this object. It has a name
    /// when all of it came and its SHA-256 is the release's.
    /// </summary>
    internal sealed class ControllerPackage : IDisposable
    {
        private const int MostBytes = 20 * 1024 * 1024;

        private readonly string folder = Path.Combine(Path.GetTempPath(), "umx-" + Guid.NewGuid().ToString("N"));
        private readonly SHA256 sha = SHA256.Create();
        private FileStream to;
        private long size;

        internal string Name { get; private set; }

        internal string File { get { return Path.Combine(folder, Name); } }

        internal string Version { get; private set; }

        /// Lower-case digits.
        internal string Hash { get; private set; }

        internal bool IsForWindows { get { return Name == "umx-agent.msi"; } }

        /// An item of the answer.
        internal void Take(string type, object body)
        {
            var part = body as JsonObject;
            string hex = part?.Text("data");
            byte[] bytes = hex != null ? Values.Bytes(hex) : null;

            if (type != "parts" || bytes == null || bytes.Length == 0 || part.Integer("offset") != size || size + bytes.Length > MostBytes)
                throw Damaged("a part of the answer does not follow the one before it");
            Reach(() => Append(bytes));
            sha.TransformBlock(bytes, 0, bytes.Length, null, 0);
            size += bytes.Length;
        }

        /// The end of the answer.
        internal void End(JsonObject end)
        {
            string kind = end.Text("kind");

            sha.TransformFinalBlock(new byte[0], 0, 0);
            Hash = Values.Hex(sha.Hash);
            if (to == null || end.Integer("size") != size || end.Text("sha256") != Hash)
                throw Damaged(string.Format(CultureInfo.InvariantCulture, "{0} bytes with the SHA-256 {1} came", size, Hash));
            if (kind != "msi" && kind != "deb")
                throw Damaged("its kind is neither msi nor deb");
            Name = "umx-agent." + kind;
            Version = end.Text("version");
            Reach(() =>
            {
                to.Dispose();
                System.IO.File.Move(to.Name, File);
            });
        }

        public void Dispose()
        {
            to?.Dispose();
            sha.Dispose();
            try
            {
                if (Directory.Exists(folder))
                    Directory.Delete(folder, true);
            }
            catch (Exception problem) when (problem is IOException || problem is UnauthorizedAccessException)
            {
                // A scanner of viruses may hold it; what is in it is no secret.
            }
        }

        private void Append(byte[] bytes)
        {
            if (to == null)
            {
                Directory.CreateDirectory(folder);
                to = new FileStream(Path.Combine(folder, "part"), FileMode.CreateNew, FileAccess.Write, FileShare.None);
            }
            to.Write(bytes, 0, bytes.Length);
        }

        private void Reach(Action writes)
        {
            try
            {
                writes();
            }
            catch (Exception problem) when (problem is IOException || problem is UnauthorizedAccessException)
            {
                throw new UmxException("UMX-1009", UmxStatus.Io, folder, problem.Message, "check the path, its permissions and the free space", folder);
            }
        }

        private static UmxException Damaged(string why)
        {
            return new UmxException("UMX-1815", UmxStatus.Format, "package", why, "ask again; when it stays so, take the package from where it was built", "package");
        }
    }
}
