using System;
using System.Globalization;
using System.Management.Automation;

namespace Umx
{
    /// <summary>
    /// A parameter takes a time as people give it: a DateTime, a TimeSpan from now, a duration from now ("8h", "1d12h",
    /// "90m"), or RFC 3339. Nothing of it depends on the culture, but a text in none of these forms, which is read in the
    /// culture of the session as PowerShell does.
    /// </summary>
    internal sealed class WhenTransformationAttribute : ArgumentTransformationAttribute
    {
        private const string Units = "wdhms";
        private static readonly TimeSpan[] Lengths =
        {
            TimeSpan.FromDays(7), TimeSpan.FromDays(1), TimeSpan.FromHours(1), TimeSpan.FromMinutes(1), TimeSpan.FromSeconds(1),
        };

        public override object Transform(EngineIntrinsics engine, object input)
        {
            object value = input is PSObject wrapped ? wrapped.BaseObject : input;
            if (value is TimeSpan span)
                return DateTime.Now + span;
            if (!(value is string text))
                return input;
            if (Duration(text, out TimeSpan duration))
                return DateTime.Now + duration;
            if (Values.Time(text, out DateTime time))
                return time;
            if (DateTime.TryParse(text, CultureInfo.CurrentCulture, DateTimeStyles.AssumeLocal, out time))
                return time;
            throw new ArgumentTransformationMetadataException(
                "'" + text + "' is neither a time (2026-01-31T22:00:00Z) nor a duration (8h, 1d12h, 90m)");
        }

        /// Numbers with units in falling order.
        internal static bool Duration(string text, out TimeSpan duration)
        {
            int unit = -1;
            long number = -1;

            duration = TimeSpan.Zero;
            foreach (char letter in text)
            {
                if (letter >= '0' && letter <= '9')
                {
                    number = Math.Max(number, 0) * 10 + (letter - '0');
                    if (number > 1000000000)
                        return false;
                    continue;
                }
                int which = Units.IndexOf(letter);
                if (which <= unit || number < 0)
                    return false;
                unit = which;
                duration += TimeSpan.FromTicks(Lengths[which].Ticks * number);
                number = -1;
                if (duration > TimeSpan.FromDays(3653))
                    return false;
            }
            return unit >= 0 && number < 0;
        }
    }
}
