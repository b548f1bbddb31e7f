// Console.In and Console.Out of a thread are those of its session.
using System;
using System.IO;
using System.Reflection;
using System.Text;

namespace Umx.Lab;

static class Streams
{
    [ThreadStatic]
    public static Session? Current;

    public static void Install()
    {
        Console.SetOut(new Writer());
        // Console.SetIn would put one lock around all readers: a session that waits for its next line would stop the others.
        var field = typeof(Console).GetField("s_in", BindingFlags.NonPublic | BindingFlags.Static)
            ?? throw new InvalidOperationException("this runtime keeps Console.In elsewhere");
        field.SetValue(null, new Reader());
    }

    sealed class Reader : TextReader
    {
        public override string? ReadLine() => Current?.ReadLine();
    }

    sealed class Writer : TextWriter
    {
        public override Encoding Encoding => Encoding.UTF8;
        public override void Write(char value) => Current?.Write(value.ToString());
        public override void Write(string? value) => Current?.Write(value ?? "");
        public override void Flush() => Current?.Flush();
    }
}
