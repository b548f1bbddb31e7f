// One run of a script. Frames from the client: H (JSON: host, script), I (bytes of standard input), E (its end). To the
// client: O (bytes of standard output), X (exit code). A client that goes away ends its script.
using System;
using System.Buffers.Binary;
using System.Collections.Concurrent;
using System.IO;
using System.Management.Automation;
using System.Management.Automation.Runspaces;
using System.Net.Sockets;
using System.Text;
using System.Text.Json;
using System.Threading;

namespace Umx.Lab;

sealed class Session : IDisposable
{
    const int FrameMax = 1 << 20;

    readonly NetworkStream stream;
    readonly BlockingCollection<byte[]?> input = new();
    readonly StringBuilder line = new();
    byte[] piece = Array.Empty<byte>();
    int at;
    PowerShell? shell;

    public Host? Host { get; private set; }

    public Session(Socket connection)
    {
        stream = new NetworkStream(connection, ownsSocket: true);
    }

    public void Dispose()
    {
        stream.Dispose();
    }

    public void Run()
    {
        var (kind, bytes) = ReadFrame();
        if (kind != 'H')
            throw new EndOfStreamException("no header");
        using var header = JsonDocument.Parse(bytes);
        Host = new Host(header.RootElement.GetProperty("host").GetString()!);
        var script = Encoding.Unicode.GetString(
            Convert.FromBase64String(header.RootElement.GetProperty("script").GetString()!));
        new Thread(Listen) { IsBackground = true }.Start();
        Streams.Current = this;
        var code = Execute(Host, script);
        WriteFrame('X', Number(code));
    }

    static byte[] Number(int number)
    {
        var bytes = new byte[4];
        BinaryPrimitives.WriteInt32BigEndian(bytes, number);
        return bytes;
    }

    int Execute(Host host, string script)
    {
        var state = InitialSessionState.CreateDefault2();
        state.ThreadOptions = PSThreadOptions.UseCurrentThread;
        state.Variables.Add(new SessionStateVariableEntry("Here", host, "the recorded host that the script runs on"));
        state.ImportPSModule(new[] { Path.Combine(AppContext.BaseDirectory, host.Product + "StandIn.psm1") });
        var engine = new EngineHost();
        using var runspace = RunspaceFactory.CreateRunspace(engine, state);
        runspace.Open();
        using (shell = PowerShell.Create(runspace))
        {
            try
            {
                // What a script leaves in its pipeline powershell.exe prints: it would spoil the records, so it shows.
                foreach (var value in shell.AddScript(script).Invoke())
                    Write(value + "\n");
            }
            catch (RuntimeException error)
            {
                Console.Error.WriteLine($"{host.Fqdn}: {error.Message}");
                return 1;
            }
            finally
            {
                Flush();
            }
            foreach (var error in shell.Streams.Error)
                Console.Error.WriteLine($"{host.Fqdn}: {error}");
            return engine.ExitCode ?? 0;
        }
    }

    // ---- frames

    void Listen()
    {
        try
        {
            while (true)
            {
                var (kind, bytes) = ReadFrame();
                input.Add(kind == 'E' ? null : bytes);
            }
        }
        catch (Exception error) when (error is IOException or ObjectDisposedException)
        {
            input.Add(null);
            Stop();
        }
    }

    // The script may have ended meanwhile: an exception on this thread would end all scripts of the lab.
    void Stop()
    {
        try
        {
            shell?.BeginStop(null, null);
        }
        catch (InvalidOperationException)
        {
        }
    }

    (char, byte[]) ReadFrame()
    {
        var head = new byte[5];
        stream.ReadExactly(head);
        var length = BinaryPrimitives.ReadInt32BigEndian(head.AsSpan(1));
        if (length < 0 || length > FrameMax)
            throw new EndOfStreamException("a frame is too long");
        var bytes = new byte[length];
        stream.ReadExactly(bytes);
        return ((char)head[0], bytes);
    }

    void WriteFrame(char kind, byte[] bytes)
    {
        var frame = new byte[5 + bytes.Length];
        frame[0] = (byte)kind;
        BinaryPrimitives.WriteInt32BigEndian(frame.AsSpan(1), bytes.Length);
        bytes.CopyTo(frame, 5);
        stream.Write(frame);
    }

    // ---- standard streams of the script

    public string? ReadLine()
    {
        var bytes = new MemoryStream();
        Flush();
        while (true)
        {
            if (at == piece.Length)
            {
                var next = input.Take();
                if (next == null)
                {
                    input.Add(null);
                    return bytes.Length > 0 ? Encoding.UTF8.GetString(bytes.ToArray()) : null;
                }
                piece = next;
                at = 0;
                continue;
            }
            var one = piece[at++];
            if (one == '\n')
                return Encoding.UTF8.GetString(bytes.ToArray()).TrimEnd('\r');
            bytes.WriteByte(one);
        }
    }

    public void Write(string text)
    {
        line.Append(text);
        if (line.Length > 16384)
            Flush();
    }

    public void Flush()
    {
        if (line.Length == 0)
            return;
        WriteFrame('O', Encoding.UTF8.GetBytes(line.ToString()));
        line.Clear();
    }
}
