// A host without a console: what the engine renders, asks and reports as progress is kept for assertions.
using System;
using System.Collections.Concurrent;
using System.Collections.Generic;
using System.Collections.ObjectModel;
using System.Diagnostics;
using System.Globalization;
using System.Linq;
using System.Management.Automation;
using System.Management.Automation.Host;
using System.Security;
using System.Text;

namespace Umx.Tests;

sealed class RecordingHost(int width, CultureInfo? culture = null) : PSHost
{
    readonly RecordingInterface ui = new(width);

    public override CultureInfo CurrentCulture { get; } = culture ?? CultureInfo.InvariantCulture;
    public override CultureInfo CurrentUICulture => CurrentCulture;
    public override Guid InstanceId { get; } = Guid.NewGuid();
    public override string Name => "umx-tests";
    public override PSHostUserInterface UI => ui;
    public override Version Version => new(1, 0);
    public override void EnterNestedPrompt() => throw new NotSupportedException();
    public override void ExitNestedPrompt() => throw new NotSupportedException();
    public override void NotifyBeginApplication() { }
    public override void NotifyEndApplication() { }
    public override void SetShouldExit(int exitCode) { }

    public string Rendered => ui.Text.ToString();
    public IReadOnlyCollection<(ProgressRecord Record, TimeSpan At)> Progress => ui.Progress;
    public IReadOnlyCollection<string> Prompts => ui.Prompts;
    /// What is answered to every question; nobody is there to be asked otherwise.
    public int? Answer { set => ui.Answer = value; }
    public void Clear() => ui.Clear();
}

sealed class RecordingInterface(int width) : PSHostUserInterface
{
    readonly Stopwatch clock = Stopwatch.StartNew();
    public readonly StringBuilder Text = new();
    public readonly ConcurrentQueue<(ProgressRecord, TimeSpan)> Progress = new();
    public readonly ConcurrentQueue<string> Prompts = new();
    public int? Answer;

    public override PSHostRawUserInterface RawUI { get; } = new RecordingScreen(width);
    public override bool SupportsVirtualTerminal => false;

    public void Clear()
    {
        lock (Text)
            Text.Clear();
        Progress.Clear();
        Prompts.Clear();
    }

    public override void Write(string value)
    {
        lock (Text)
            Text.Append(value);
    }

    public override void Write(ConsoleColor foregroundColor, ConsoleColor backgroundColor, string value) => Write(value);
    public override void WriteLine(string value) => Write(value + "\n");
    public override void WriteErrorLine(string value) => WriteLine(value);
    public override void WriteDebugLine(string message) => WriteLine("DEBUG: " + message);
    public override void WriteVerboseLine(string message) => WriteLine("VERBOSE: " + message);
    public override void WriteWarningLine(string message) => WriteLine("WARNING: " + message);
    public override void WriteProgress(long sourceId, ProgressRecord record) => Progress.Enqueue((record, clock.Elapsed));

    public override int PromptForChoice(string caption, string message, Collection<ChoiceDescription> choices, int defaultChoice)
    {
        Prompts.Enqueue(caption + "\n" + message);
        WriteLine($"{caption}\n{message}\n{string.Join("  ", choices.Select(c => c.Label.Replace("&", "")))}");
        return Answer ?? throw new InvalidOperationException("nobody is here to answer: " + message);
    }

    public override Dictionary<string, PSObject> Prompt(string caption, string message, Collection<FieldDescription> fields) =>
        throw new InvalidOperationException("nobody is here to answer: " + string.Join(", ", fields.Select(f => f.Name)));

    public override string ReadLine() => throw new InvalidOperationException("nobody is here to answer");
    public override SecureString ReadLineAsSecureString() => throw new InvalidOperationException("nobody is here to answer");
    public override PSCredential PromptForCredential(string caption, string message, string userName, string targetName) =>
        throw new InvalidOperationException("nobody is here to answer");
    public override PSCredential PromptForCredential(string caption, string message, string userName, string targetName,
        PSCredentialTypes allowedCredentialTypes, PSCredentialUIOptions options) =>
        throw new InvalidOperationException("nobody is here to answer");
}

sealed class RecordingScreen(int width) : PSHostRawUserInterface
{
    public override Size BufferSize { get; set; } = new(width, 3000);
    public override Size WindowSize { get; set; } = new(width, 50);
    public override Size MaxWindowSize => WindowSize;
    public override Size MaxPhysicalWindowSize => WindowSize;
    public override Coordinates WindowPosition { get; set; }
    public override Coordinates CursorPosition { get; set; }
    public override int CursorSize { get; set; } = 25;
    public override ConsoleColor ForegroundColor { get; set; } = ConsoleColor.Gray;
    public override ConsoleColor BackgroundColor { get; set; } = ConsoleColor.Black;
    public override string WindowTitle { get; set; } = "";
    public override bool KeyAvailable => false;
    public override void FlushInputBuffer() { }
    public override KeyInfo ReadKey(ReadKeyOptions options) => throw new NotSupportedException();
    public override BufferCell[,] GetBufferContents(Rectangle rectangle) => throw new NotSupportedException();
    public override void ScrollBufferContents(Rectangle source, Coordinates destination, Rectangle clip, BufferCell fill) { }
    public override void SetBufferContents(Rectangle rectangle, BufferCell fill) { }
    public override void SetBufferContents(Coordinates origin, BufferCell[,] contents) { }
}
