using System;
using System.Collections.Generic;
using System.Globalization;
using System.Text;

namespace Umx
{
    /// <summary>A JSON object: members in the order of the text.</summary>
    internal sealed class JsonObject
    {
        internal readonly List<string> Names = new List<string>();
        internal readonly List<object> Values = new List<object>();

        internal object this[string name]
        {
            get
            {
                int at = Names.IndexOf(name);
                return at >= 0 ? Values[at] : null;
            }
        }

        internal string Text(string name) { return this[name] as string; }

        internal long Integer(string name) { return this[name] is long number ? number : 0; }

        internal bool Truth(string name) { return this[name] is bool truth && truth; }

        internal void Set(string name, object value)
        {
            int at = Names.IndexOf(name);
            if (at >= 0)
            {
                Values[at] = value;
                return;
            }
            Names.Add(name);
            Values.Add(value);
        }
    }

    /// <summary>
    /// Reads one JSON text (RFC 8259, UTF-8): null, bool, long, double, string, object[] and JsonObject. Strict: no
    /// comments, no second member of a name, nothing behind the value; at most 64 levels. What it reads may come from
    /// anywhere: it ends with a FormatException or a value, nothing else. The names of members are remembered, so that
    /// the many records of an answer share them; an instance belongs to one thread at a time.
    /// </summary>
    internal sealed class JsonReader
    {
        internal const int MaximumDepth = 64;
        private const int RememberedNames = 512; // more are read, and not remembered

        private static readonly UTF8Encoding Utf8 = new UTF8Encoding(false, true);
        private readonly Dictionary<uint, string> remembered = new Dictionary<uint, string>();
        private byte[] text;
        private int at;
        private int end;

        internal static object Read(string json)
        {
            byte[] bytes;
            try
            {
                bytes = Utf8.GetBytes(json);
            }
            catch (ArgumentException)
            {
                throw new FormatException("not Unicode");
            }
            return new JsonReader().Read(bytes, bytes.Length);
        }

        internal object Read(byte[] bytes, int length)
        {
            text = bytes;
            at = 0;
            end = length;
            object value = ReadValue(0);
            SkipSpace();
            if (at != end)
                throw Wrong("something follows the value");
            return value;
        }

        private FormatException Wrong(string why)
        {
            return new FormatException(
                string.Format(CultureInfo.InvariantCulture, "JSON, byte {0}: {1}", at, why));
        }

        private void SkipSpace()
        {
            while (at < end && (text[at] == ' ' || text[at] == '\n' || text[at] == '\r' || text[at] == '\t'))
                at++;
        }

        private byte Peek()
        {
            SkipSpace();
            if (at == end)
                throw Wrong("it ends too early");
            return text[at];
        }

        private object ReadValue(int depth)
        {
            if (depth > MaximumDepth)
                throw Wrong("too many levels");
            switch (Peek())
            {
                case (byte)'{':
                    return ReadObject(depth);
                case (byte)'[':
                    return ReadArray(depth);
                case (byte)'"':
                    return ReadString();
                case (byte)'t':
                    return Word("true", true);
                case (byte)'f':
                    return Word("false", false);
                case (byte)'n':
                    return Word("null", null);
                default:
                    return ReadNumber();
            }
        }

        private object Word(string word, object value)
        {
            for (int i = 0; i < word.Length; i++, at++)
                if (at == end || text[at] != word[i])
                    throw Wrong("not a value");
            return value;
        }

        private JsonObject ReadObject(int depth)
        {
            var made = new JsonObject();
            HashSet<string> seen = null; // of larger objects: a list is searched faster when it is short

            at++;
            if (Peek() == '}')
            {
                at++;
                return made;
            }
            while (true)
            {
                if (Peek() != '"')
                    throw Wrong("a name was expected");
                string name = ReadName();
                if (made.Names.Count == 24)
                    seen = new HashSet<string>(made.Names);
                if (seen != null ? !seen.Add(name) : made.Names.Contains(name))
                    throw Wrong("the name is there twice");
                if (Peek() != ':')
                    throw Wrong("a colon was expected");
                at++;
                made.Names.Add(name);
                made.Values.Add(ReadValue(depth + 1));
                byte next = Peek();
                at++;
                if (next == '}')
                    return made;
                if (next != ',')
                    throw Wrong("a comma or the object's end was expected");
            }
        }

        private object[] ReadArray(int depth)
        {
            at++;
            if (Peek() == ']')
            {
                at++;
                return new object[0];
            }
            var items = new List<object>();
            while (true)
            {
                items.Add(ReadValue(depth + 1));
                byte next = Peek();
                at++;
                if (next == ']')
                    return items.ToArray();
                if (next != ',')
                    throw Wrong("a comma or the array's end was expected");
            }
        }

        private string ReadName()
        {
            uint hash = 2166136261;
            int stop = at + 1;

            for (; stop < end && text[stop] != '"' && text[stop] != '\\' && text[stop] >= 0x20 && text[stop] < 0x80; stop++)
                hash = (hash ^ text[stop]) * 16777619;
            if (stop == end || text[stop] != '"')
                return ReadString();
            if (remembered.TryGetValue(hash, out string known) && Same(known, at + 1, stop))
            {
                at = stop + 1;
                return known;
            }
            string name = ReadString();
            if (remembered.Count < RememberedNames)
                remembered[hash] = name;
            return name;
        }

        private bool Same(string known, int from, int to)
        {
            if (known.Length != to - from)
                return false;
            for (int i = 0; i < known.Length; i++)
                if (known[i] != text[from + i])
                    return false;
            return true;
        }

        private string ReadString()
        {
            int from = ++at;

            while (at < end && text[at] != '"' && text[at] != '\\')
                if (text[at++] < 0x20)
                    throw Wrong("a control character in a string");
            if (at == end)
                throw Wrong("a string without an end");
            string start = Decode(from, at);
            if (text[at] == '"')
            {
                at++;
                return start;
            }
            var made = new StringBuilder(start);
            while (true)
            {
                if (at == end)
                    throw Wrong("a string without an end");
                if (text[at] == '"')
                {
                    at++;
                    return Whole(made.ToString());
                }
                if (text[at] == '\\')
                {
                    at++;
                    made.Append(ReadEscape());
                    continue;
                }
                from = at;
                while (at < end && text[at] != '"' && text[at] != '\\')
                    if (text[at++] < 0x20)
                        throw Wrong("a control character in a string");
                made.Append(Decode(from, at));
            }
        }

        private string Decode(int from, int to)
        {
            try
            {
                return Utf8.GetString(text, from, to - from);
            }
            catch (ArgumentException)
            {
                throw Wrong("not UTF-8");
            }
        }

        /// Surrogates come in pairs, or it is no text.
        private string Whole(string made)
        {
            for (int i = 0; i < made.Length; i++)
            {
                if (!char.IsSurrogate(made[i]))
                    continue;
                if (i + 1 == made.Length || !char.IsSurrogatePair(made[i], made[i + 1]))
                    throw Wrong("half a character");
                i++;
            }
            return made;
        }

        private char ReadEscape()
        {
            const string Names = "\"\\/bfnrt", Characters = "\"\\/\b\f\n\r\t";

            if (at == end)
                throw Wrong("a string without an end");
            char name = (char)text[at++];
            if (name != 'u')
            {
                int which = Names.IndexOf(name);
                return which >= 0 ? Characters[which] : throw Wrong("an unknown escape");
            }
            int code = 0;
            for (int i = 0; i < 4; i++, at++)
            {
                int digit = at < end ? HexDigit(text[at]) : -1;
                if (digit < 0)
                    throw Wrong("an escape needs four hex digits");
                code = code * 16 + digit;
            }
            return (char)code;
        }

        internal static int HexDigit(int letter)
        {
            return letter >= '0' && letter <= '9' ? letter - '0'
                : letter >= 'a' && letter <= 'f' ? letter - 'a' + 10
                : letter >= 'A' && letter <= 'F' ? letter - 'A' + 10
                : -1;
        }

        private void SkipDigits()
        {
            int from = at;

            while (at < end && text[at] >= '0' && text[at] <= '9')
                at++;
            if (at == from)
                throw Wrong("not a value");
        }

        private object ReadNumber()
        {
            int from = at;
            bool whole = true;

            if (text[at] == '-')
                at++;
            int digits = at;
            SkipDigits();
            if (text[digits] == '0' && at - digits > 1)
                throw Wrong("a number that begins with 0");
            if (at < end && text[at] == '.')
            {
                at++;
                whole = false;
                SkipDigits();
            }
            if (at < end && (text[at] == 'e' || text[at] == 'E'))
            {
                at++;
                whole = false;
                if (at < end && (text[at] == '+' || text[at] == '-'))
                    at++;
                SkipDigits();
            }
            string number = Encoding.ASCII.GetString(text, from, at - from);
            if (whole && long.TryParse(number, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out long small))
                return small;
            if (!double.TryParse(number, NumberStyles.Float, CultureInfo.InvariantCulture, out double large) ||
                double.IsInfinity(large))
                throw Wrong("a number that is too large");
            return large;
        }
    }
}
