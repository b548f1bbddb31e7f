// umx-lab-shell SOCKET LAB - the real PowerShell engine of a lab, in one process: a process for each script would spend a
// second on its start. Each connection is one powershell.exe: a script, standard input, standard output, an exit code.
using System;
using System.IO;
using System.Net.Sockets;
using System.Threading;

namespace Umx.Lab;

static class Program
{
    static int Main(string[] arguments)
    {
        if (arguments.Length != 2)
        {
            Console.Error.WriteLine("usage: umx-lab-shell SOCKET LAB");
            return 2;
        }
        Place.Open(arguments[1]);
        Streams.Install();
        File.Delete(arguments[0]);
        using var listener = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        listener.Bind(new UnixDomainSocketEndPoint(arguments[0]));
        listener.Listen(64);
        while (true)
        {
            var connection = listener.Accept();
            // The engine recurses: it wants more stack than a thread of the pool has.
            new Thread(() => Serve(connection), 16 << 20) { IsBackground = true }.Start();
        }
    }

    static void Serve(Socket connection)
    {
        using var session = new Session(connection);
        try
        {
            session.Run();
        }
        catch (Exception error) when (error is IOException or SocketException or InvalidOperationException)
        {
            Console.Error.WriteLine($"the client went away: {error.Message}");
        }
    }
}
