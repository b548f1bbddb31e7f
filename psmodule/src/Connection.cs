using System;
using System.Collections.Generic;
using System.Linq;
using System.Management.Automation;
using System.Management.Automation.Runspaces;
using System.Runtime.CompilerServices;

namespace Umx
{
    /// <summary>A connection to a controller, as Connect-UmxController makes it. Any runspace may use it.</summary>
    public sealed class Controller
    {
        private SessionHandle session;

        internal Controller(string name, string address, string identityFile, SessionHandle opened)
        {
            Name = name;
            Address = address;
            IdentityFile = identityFile;
            session = opened;
            Completions = new Completions(this);
        }

        /// <summary>What -Controller and Disconnect-UmxController call it: HOST:PORT, unless it was named otherwise.</summary>
        public string Name { get; }

        /// <summary>HOST:PORT.</summary>
        public string Address { get; }

        /// <summary>The certificate's name: umx://DEPLOYMENT/operator/SID.</summary>
        public string Identity { get; internal set; }

        /// <summary>The name of the deployment.</summary>
        public string Deployment { get; internal set; }

        /// <summary>The forest that vouched for the operator.</summary>
        public string Forest { get; internal set; }

        /// <summary>The operator's account as the directory names it.</summary>
        public string Account { get; internal set; }

        /// <summary>User principal name; null when there is none.</summary>
        public string Principal { get; internal set; }

        /// <summary>What the operator may do: viewer, operator, auditor.</summary>
        public string[] Roles { get; internal set; }

        /// <summary>End of the certificate, local time.</summary>
        public DateTime? ExpiresAt { get; internal set; }

        /// <summary>Whether cmdlets without -Controller use it.</summary>
        public bool IsDefault { get; internal set; }

        /// <summary>Whether it can be used.</summary>
        public bool IsOpen { get { return session != null; } }

        /// <summary>Where the key and the certificate are.</summary>
        public string IdentityFile { get; }

        internal Completions Completions { get; }

        internal SessionHandle Session
        {
            get { return session ?? throw Failure.NoSuchConnection(Name); }
        }

        internal void Close()
        {
            SessionHandle was = session;
            session = null;
            if (was != null)
                was.Dispose();
        }

        /// <summary>Its name.</summary>
        public override string ToString() { return Name; }
    }

    /// <summary>The connections of a runspace: sessions beside each other do not share a default one.</summary>
    internal sealed class Connections
    {
        private static readonly ConditionalWeakTable<Runspace, Connections> Runspaces = new ConditionalWeakTable<Runspace, Connections>();
        private static readonly Connections WithoutRunspace = new Connections();
        private readonly List<Controller> all = new List<Controller>();

        internal static Connections Here
        {
            get
            {
                Runspace here = Runspace.DefaultRunspace;
                return here != null ? Runspaces.GetOrCreateValue(here) : WithoutRunspace;
            }
        }

        internal IEnumerable<Controller> All { get { return all.ToArray(); } }

        internal Controller Default { get { return all.FirstOrDefault(one => one.IsDefault); } }

        internal void Add(Controller added, bool asDefault)
        {
            Controller there = Find(added.Name);
            if (there != null)
                Remove(there);
            all.Add(added);
            if (asDefault || all.Count == 1 || Default == null)
                foreach (Controller one in all)
                    one.IsDefault = one == added;
        }

        internal void Remove(Controller gone)
        {
            all.Remove(gone);
            gone.Close();
            if (gone.IsDefault && all.Count > 0)
                all[all.Count - 1].IsDefault = true;
            gone.IsDefault = false;
        }

        internal Controller Find(string name)
        {
            return all.FirstOrDefault(one => string.Equals(one.Name, name, StringComparison.OrdinalIgnoreCase)) ??
                   all.FirstOrDefault(one => string.Equals(one.Name, Address(name), StringComparison.OrdinalIgnoreCase));
        }

        /// HOST is HOST:7444.
        internal static string Address(string name)
        {
            int colon = name.LastIndexOf(':');
            bool port = colon >= 0 && (name.IndexOf(':') == colon || name[colon - 1] == ']');
            return port ? name : name + ":7444";
        }
    }

    /// <summary>A parameter takes a connection, or its name.</summary>
    internal sealed class ControllerTransformationAttribute : ArgumentTransformationAttribute
    {
        public override object Transform(EngineIntrinsics engine, object input)
        {
            object value = input is PSObject wrapped ? wrapped.BaseObject : input;
            if (value is string name && name.Length > 0)
                return Connections.Here.Find(name) ?? throw new ArgumentTransformationMetadataException(Failure.NoSuchConnection(name).Message);
            return value;
        }
    }

    /// <summary>Sessions end with the module.</summary>
    public sealed class ModuleEnd : IModuleAssemblyCleanup
    {
        /// <summary>Called by the engine when the module is removed.</summary>
        public void OnRemove(PSModuleInfo module)
        {
            foreach (Controller one in Connections.Here.All)
                Connections.Here.Remove(one);
        }
    }
}
