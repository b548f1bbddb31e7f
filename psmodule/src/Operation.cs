using System;
using System.Collections.Generic;
using System.Threading;

namespace Umx
{
    internal enum EventKind
    {
        Item = 1,
        Progress = 2,
        Verbose = 3,
        Warning = 4,
        Error = 5,
        End = 6,
        Failed = 7,
    }

    internal struct OperationEvent
    {
        internal EventKind Kind;
        internal string Type;
        internal object Body;
        internal UmxException Problem; // of Failed
    }

    /// <summary>
    /// One operation of the controller. A thread of its own waits for the records and parses them; who asked takes them
    /// from a queue of limited length, on the pipeline's thread. Cancel comes from any thread and returns at once.
    /// </summary>
    internal sealed class Operation : IDisposable
    {
        private const int QueueMaximum = 1024;
        private const int ProgressMaximum = 64; // what waits behind them is worth more
        private const uint WaitMilliseconds = 500;

        private readonly Queue<OperationEvent> queue = new Queue<OperationEvent>();
        private readonly OperationHandle handle;
        private readonly Library library;
        private bool over;      // nothing comes any more
        private bool cancelled; // nobody takes any more

        internal Operation(Controller controller, string name, JsonObject arguments, int deadlineMilliseconds)
        {
            var request = new JsonObject();
            library = Library.Loaded;
            request.Set("operation", name);
            request.Set("arguments", arguments);
            if (deadlineMilliseconds > 0)
                request.Set("deadline_ms", (long)deadlineMilliseconds);
            byte[] bytes = JsonWriter.Bytes(request);
            int status = library.OperationStart(controller.Session, bytes, (UIntPtr)bytes.Length, out IntPtr made, out NativeBuffer error);
            if (status != 0)
                throw Failure.From(library.TakeJson(ref error), status);
            handle = new OperationHandle(made);
            new Thread(Pump) { IsBackground = true, Name = "umx " + name }.Start();
        }

        /// The next event; false when there is no more, or the operation was cancelled.
        internal bool Take(out OperationEvent taken)
        {
            lock (queue)
            {
                while (queue.Count == 0 && !over && !cancelled)
                    Monitor.Wait(queue);
                taken = default;
                if (cancelled || queue.Count == 0)
                    return false;
                taken = queue.Dequeue();
                if (queue.Count == QueueMaximum / 2)
                    Monitor.PulseAll(queue);
                return true;
            }
        }

        internal void Cancel()
        {
            lock (queue)
            {
                if (cancelled)
                    return;
                cancelled = true;
                Monitor.PulseAll(queue);
                if (over)
                    return;
            }
            try
            {
                library.OperationCancel(handle);
            }
            catch (ObjectDisposedException)
            {
                // it ended meanwhile
            }
        }

        public void Dispose() { Cancel(); }

        private void Pump()
        {
            var reader = new JsonReader();
            byte[] bytes = new byte[4096];
            OperationEvent next;

            try
            {
                do
                {
                    int status = library.OperationNext(handle, WaitMilliseconds, out NativeBuffer record);
                    if (status == 0)
                    {
                        library.BufferFree(ref record);
                        next = default;
                        continue;
                    }
                    next = Read(reader, ref bytes, status, ref record);
                } while (Put(next) && next.Kind != EventKind.End && next.Kind != EventKind.Failed);
            }
            catch (Exception problem) // a thread of ours must not end somebody's process
            {
                Put(new OperationEvent { Kind = EventKind.Failed, Problem = new UmxException("UMX-1604", UmxStatus.Format, null, problem.Message, "check that client and controller run compatible versions", null) });
            }
            finally
            {
                handle.Dispose();
                lock (queue)
                {
                    over = true;
                    Monitor.PulseAll(queue);
                }
            }
        }

        private OperationEvent Read(JsonReader reader, ref byte[] bytes, int status, ref NativeBuffer record)
        {
            int length = checked((int)record.Length);
            try
            {
                if (length > bytes.Length)
                    bytes = new byte[Math.Max(length, bytes.Length * 2)];
                if (length > 0)
                    System.Runtime.InteropServices.Marshal.Copy(record.Data, bytes, 0, length);
            }
            finally
            {
                library.BufferFree(ref record);
            }
            var json = length > 0 ? reader.Read(bytes, length) as JsonObject : null;
            if (status < 0)
                return new OperationEvent { Kind = EventKind.Failed, Problem = Failure.From(json?["json"] as JsonObject, status) };
            return new OperationEvent { Kind = (EventKind)status, Type = json?.Text("type"), Body = json?["json"] };
        }

        /// False when nobody wants any more. Progress is dropped while much waits.
        private bool Put(OperationEvent put)
        {
            lock (queue)
            {
                if (put.Kind == 0 || (put.Kind == EventKind.Progress && queue.Count > ProgressMaximum))
                    return !cancelled;
                while (queue.Count >= QueueMaximum && !cancelled)
                    Monitor.Wait(queue);
                if (cancelled)
                    return false;
                queue.Enqueue(put);
                if (queue.Count == 1)
                    Monitor.PulseAll(queue);
                return true;
            }
        }
    }
}
