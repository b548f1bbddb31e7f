using System.Management.Automation;

namespace Umx
{
    /// <summary>The servers that agents report.</summary>
    [Cmdlet(VerbsCommon.Get, "UmxServer")]
    [OutputType("Umx.Server")]
    public sealed class GetUmxServerCommand : ServerRecordCommand
    {
        internal override string Table { get { return "server"; } }
    }

    /// <summary>Server roles.</summary>
    [Cmdlet(VerbsCommon.Get, "UmxRole")]
    [OutputType("Umx.Role")]
    public sealed class GetUmxRoleCommand : ServerRecordCommand
    {
        internal override string Table { get { return "role"; } }

        /// <summary>Registry names of roles.</summary>
        [Parameter]
        [Column("role")]
        [SupportsWildcards]
        public string[] Role { get; set; }
    }

    /// <summary>Windows services.</summary>
    [Cmdlet(VerbsCommon.Get, "UmxService")]
    [OutputType("Umx.Service")]
    public sealed class GetUmxServiceCommand : ServerRecordCommand
    {
        internal override string Table { get { return "service"; } }

        /// <summary>Names of services.</summary>
        [Parameter]
        [Column("name")]
        [SupportsWildcards]
        public string[] ServiceName { get; set; }

        /// <summary>States.</summary>
        [Parameter]
        [Column("state")]
        [SupportsWildcards]
        public string[] State { get; set; }
    }

    /// <summary>Certificates of the servers' stores.</summary>
    [Cmdlet(VerbsCommon.Get, "UmxCertificate")]
    [OutputType("Umx.Certificate")]
    public sealed class GetUmxCertificateCommand : ServerRecordCommand
    {
        internal override string Table { get { return "certificate"; } }

        /// <summary>Thumbprints.</summary>
        [Parameter]
        [Column("thumbprint")]
        [SupportsWildcards]
        public string[] Thumbprint { get; set; }

        /// <summary>Stores.</summary>
        [Parameter]
        [Column("store")]
        [SupportsWildcards]
        public string[] Store { get; set; }

        /// <summary>Subjects.</summary>
        [Parameter]
        [Column("subject")]
        [SupportsWildcards]
        public string[] Subject { get; set; }
    }

    /// <summary>Listening sockets.</summary>
    [Cmdlet(VerbsCommon.Get, "UmxListener")]
    [OutputType("Umx.Listener")]
    public sealed class GetUmxListenerCommand : ServerRecordCommand
    {
        internal override string Table { get { return "listener"; } }
    }

    /// <summary>Settings of the UM service and the call router.</summary>
    [Cmdlet(VerbsCommon.Get, "UmxUMSetting")]
    [OutputType("Umx.UmSetting")]
    public sealed class GetUmxUMSettingCommand : ServerRecordCommand
    {
        internal override string Table { get { return "um_setting"; } }

        /// <summary>MSExchangeUM or MSExchangeUMCR.</summary>
        [Parameter]
        [Column("service")]
        [SupportsWildcards]
        public string[] ServiceName { get; set; }
    }

    /// <summary>Dial plans of Lync.</summary>
    [Cmdlet(VerbsCommon.Get, "UmxLyncDialPlan")]
    [OutputType("Umx.LyncDialPlan")]
    public sealed class GetUmxLyncDialPlanCommand : ServerRecordCommand
    {
        internal override string Table { get { return "lync_dial_plan"; } }

        /// <summary>Identities of dial plans.</summary>
        [Parameter]
        [Column("identity")]
        [SupportsWildcards]
        public string[] DialPlan { get; set; }
    }

    /// <summary>Policies and settings of Lync.</summary>
    [Cmdlet(VerbsCommon.Get, "UmxLyncPolicy")]
    [OutputType("Umx.LyncPolicy")]
    public sealed class GetUmxLyncPolicyCommand : ServerRecordCommand
    {
        internal override string Table { get { return "lync_policy"; } }

        /// <summary>Identities of policies.</summary>
        [Parameter]
        [Column("identity")]
        [SupportsWildcards]
        public string[] Policy { get; set; }

        /// <summary>Kinds.</summary>
        [Parameter]
        [Column("kind")]
        [SupportsWildcards]
        public string[] Kind { get; set; }
    }

    /// <summary>What the Lync shell says of users.</summary>
    [Cmdlet(VerbsCommon.Get, "UmxLyncUser")]
    [OutputType("Umx.LyncUser")]
    public sealed class GetUmxLyncUserCommand : ServerRecordCommand
    {
        internal override string Table { get { return "lync_user"; } }

        /// <summary>SIP addresses.</summary>
        [Parameter]
        [Column("sip_address")]
        [SupportsWildcards]
        public string[] SipAddress { get; set; }
    }

    /// <summary>Servers of Lync pools.</summary>
    [Cmdlet(VerbsCommon.Get, "UmxPoolMember")]
    [OutputType("Umx.LyncPoolMember")]
    public sealed class GetUmxPoolMemberCommand : ServerRecordCommand
    {
        internal override string Table { get { return "lync_pool_member"; } }

        /// <summary>Pools.</summary>
        [Parameter]
        [Column("pool")]
        [SupportsWildcards]
        public string[] Pool { get; set; }
    }

    /// <summary>Local administrators of the servers.</summary>
    [Cmdlet(VerbsCommon.Get, "UmxLocalAdministrator")]
    [OutputType("Umx.LocalAdministrator")]
    public sealed class GetUmxLocalAdministratorCommand : ServerRecordCommand
    {
        internal override string Table { get { return "local_administrator"; } }

        /// <summary>Names of members.</summary>
        [Parameter]
        [Column("name")]
        [SupportsWildcards]
        public string[] Member { get; set; }
    }

    /// <summary>Entries of event logs that checks read.</summary>
    [Cmdlet(VerbsCommon.Get, "UmxEvent")]
    [OutputType("Umx.Event")]
    public sealed class GetUmxEventCommand : ServerRecordCommand
    {
        internal override string Table { get { return "event"; } }

        /// <summary>information, warning or error.</summary>
        [Parameter]
        [Column("level")]
        [SupportsWildcards]
        public string[] Level { get; set; }

        /// <summary>Sources of events.</summary>
        [Parameter]
        [Column("provider")]
        [SupportsWildcards]
        public string[] Provider { get; set; }
    }

    /// <summary>What was tried for real: tickets, binds, handshakes, names.</summary>
    [Cmdlet(VerbsCommon.Get, "UmxProof")]
    [OutputType("Umx.Proof")]
    public sealed class GetUmxProofCommand : ServerRecordCommand
    {
        internal override string Table { get { return "proof"; } }

        /// <summary>trust, directory, tls, dns or sid.</summary>
        [Parameter]
        [Column("kind")]
        [SupportsWildcards]
        public string[] Kind { get; set; }

        /// <summary>pass, fail or unknown.</summary>
        [Parameter]
        [Column("status")]
        [SupportsWildcards]
        public string[] Status { get; set; }
    }
}
