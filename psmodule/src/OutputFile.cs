using System;
using System.IO;
using System.Text;

namespace Umx
{
    /// <summary>A text file (UTF-8 without a mark, line feeds) that is there when it is complete, and not before.</summary>
    internal sealed class OutputFile : IDisposable
    {
        private readonly string path;
        private readonly string temporary;
        private StreamWriter writer;

        internal OutputFile(string fullPath, bool replace)
        {
            path = fullPath;
            if (!replace && File.Exists(path))
                throw Failure.Invalid("Path", "the file " + path + " is there already; -Force replaces it");
            temporary = path + "." + Guid.NewGuid().ToString("N").Substring(0, 8) + ".tmp";
            try
            {
                writer = new StreamWriter(new FileStream(temporary, FileMode.CreateNew, FileAccess.Write), new UTF8Encoding(false)) { NewLine = "\n" };
            }
            catch (Exception problem) when (problem is IOException || problem is UnauthorizedAccessException)
            {
                throw Unwritable(problem);
            }
        }

        private UmxException Unwritable(Exception problem)
        {
            return new UmxException("UMX-1009", UmxStatus.Io, path, problem.Message, "check the path, its permissions and the free space", path);
        }

        internal void Write(string text) { writer.Write(text); }

        internal void WriteLine(string text) { writer.WriteLine(text); }

        internal FileInfo Complete()
        {
            try
            {
                writer.Dispose();
                writer = null;
                if (File.Exists(path))
                    File.Replace(temporary, path, null);
                else
                    File.Move(temporary, path);
                return new FileInfo(path);
            }
            catch (Exception problem) when (problem is IOException || problem is UnauthorizedAccessException)
            {
                throw Unwritable(problem);
            }
        }

        public void Dispose()
        {
            if (writer != null)
                writer.Dispose();
            writer = null;
            if (File.Exists(temporary))
                File.Delete(temporary);
        }
    }
}
