using System.Management.Automation;

namespace Umx
{
    /// <summary>The forests and where they were read.</summary>
    [Cmdlet(VerbsCommon.Get, "UmxForest")]
    [OutputType("Umx.Forest")]
    public sealed class GetUmxForestCommand : DirectoryRecordCommand
    {
        internal override string Table { get { return "forest"; } }

        internal override string Noun { get { return "forest"; } }

        internal override string[] NameColumns { get { return new[] { "forest", "netbios" }; } }

        /// <summary>exchange, lync or both.</summary>
        [Parameter]
        [Column("side")]
        [SupportsWildcards]
        public string[] Side { get; set; }
    }

    /// <summary>The domains of the forests.</summary>
    [Cmdlet(VerbsCommon.Get, "UmxDomain")]
    [OutputType("Umx.Domain")]
    public sealed class GetUmxDomainCommand : DirectoryRecordCommand
    {
        internal override string Table { get { return "domain"; } }

        internal override string Noun { get { return "domain"; } }

        internal override string[] NameColumns { get { return new[] { "domain", "netbios", "dn" }; } }
    }

    /// <summary>Trusts of the forests, as their domains hold them.</summary>
    [Cmdlet(VerbsCommon.Get, "UmxTrust")]
    [OutputType("Umx.Trust")]
    public sealed class GetUmxTrustCommand : DirectoryRecordCommand
    {
        internal override string Table { get { return "trust"; } }

        internal override string Noun { get { return "trust"; } }

        internal override string[] NameColumns { get { return new[] { "partner", "flat_name", "dn" }; } }
    }

    /// <summary>Exchange servers, as the directory holds them.</summary>
    [Cmdlet(VerbsCommon.Get, "UmxExchangeServer")]
    [OutputType("Umx.ExchangeServer")]
    public sealed class GetUmxExchangeServerCommand : DirectoryRecordCommand
    {
        internal override string Table { get { return "exchange_server"; } }

        internal override string Noun { get { return "Exchange server"; } }

        internal override string[] NameColumns { get { return new[] { "server", "name", "dn" }; } }
    }

    /// <summary>UM dial plans.</summary>
    [Cmdlet(VerbsCommon.Get, "UmxDialPlan")]
    [OutputType("Umx.DialPlan")]
    public sealed class GetUmxDialPlanCommand : DirectoryRecordCommand
    {
        internal override string Table { get { return "dial_plan"; } }

        internal override string Noun { get { return "dial plan"; } }

        internal override string[] NameColumns { get { return new[] { "name", "phone_context", "dn" }; } }

        /// <summary>telephone_extension, e164 or sip_name.</summary>
        [Parameter]
        [Column("uri_type")]
        [SupportsWildcards]
        public string[] UriType { get; set; }

        /// <summary>unsecured, sip_secured or secured.</summary>
        [Parameter]
        [Column("voip_security")]
        [SupportsWildcards]
        public string[] VoipSecurity { get; set; }
    }

    /// <summary>UM IP gateways.</summary>
    [Cmdlet(VerbsCommon.Get, "UmxIPGateway")]
    [OutputType("Umx.IpGateway")]
    public sealed class GetUmxIPGatewayCommand : DirectoryRecordCommand
    {
        internal override string Table { get { return "ip_gateway"; } }

        internal override string Noun { get { return "IP gateway"; } }

        internal override string[] NameColumns { get { return new[] { "name", "address", "dn" }; } }
    }

    /// <summary>UM hunt groups.</summary>
    [Cmdlet(VerbsCommon.Get, "UmxHuntGroup")]
    [OutputType("Umx.HuntGroup")]
    public sealed class GetUmxHuntGroupCommand : DirectoryRecordCommand
    {
        internal override string Table { get { return "hunt_group"; } }

        internal override string Noun { get { return "hunt group"; } }

        internal override string[] NameColumns { get { return new[] { "name", "pilot_identifier", "dn" }; } }

        /// <summary>Dial plans, by name or DN.</summary>
        [Parameter]
        [Column("dial_plan_dn")]
        [SupportsWildcards]
        public string[] DialPlan { get; set; }

        /// <summary>Gateways, by name or DN.</summary>
        [Parameter]
        [Column("gateway_dn")]
        [SupportsWildcards]
        public string[] IPGateway { get; set; }
    }

    /// <summary>UM auto attendants.</summary>
    [Cmdlet(VerbsCommon.Get, "UmxAutoAttendant")]
    [OutputType("Umx.AutoAttendant")]
    public sealed class GetUmxAutoAttendantCommand : DirectoryRecordCommand
    {
        internal override string Table { get { return "auto_attendant"; } }

        internal override string Noun { get { return "auto attendant"; } }

        internal override string[] NameColumns { get { return new[] { "name", "dn" }; } }

        /// <summary>Dial plans, by name or DN.</summary>
        [Parameter]
        [Column("dial_plan_dn")]
        [SupportsWildcards]
        public string[] DialPlan { get; set; }
    }

    /// <summary>UM mailbox policies.</summary>
    [Cmdlet(VerbsCommon.Get, "UmxMailboxPolicy")]
    [OutputType("Umx.MailboxPolicy")]
    public sealed class GetUmxMailboxPolicyCommand : DirectoryRecordCommand
    {
        internal override string Table { get { return "mailbox_policy"; } }

        internal override string Noun { get { return "UM mailbox policy"; } }

        internal override string[] NameColumns { get { return new[] { "name", "dn" }; } }

        /// <summary>Dial plans, by name or DN.</summary>
        [Parameter]
        [Column("dial_plan_dn")]
        [SupportsWildcards]
        public string[] DialPlan { get; set; }
    }

    /// <summary>Lync pools.</summary>
    [Cmdlet(VerbsCommon.Get, "UmxPool")]
    [OutputType("Umx.LyncPool")]
    public sealed class GetUmxPoolCommand : DirectoryRecordCommand
    {
        internal override string Table { get { return "lync_pool"; } }

        internal override string Noun { get { return "Lync pool"; } }

        internal override string[] NameColumns { get { return new[] { "pool", "name", "dn" }; } }
    }

    /// <summary>Contacts of Subscriber Access and of auto attendants.</summary>
    [Cmdlet(VerbsCommon.Get, "UmxContact")]
    [OutputType("Umx.Contact")]
    public sealed class GetUmxContactCommand : DirectoryRecordCommand
    {
        internal override string Table { get { return "contact"; } }

        internal override string Noun { get { return "contact"; } }

        internal override string[] NameColumns { get { return new[] { "display_name", "sip_address", "dn" }; } }

        /// <summary>subscriber_access or auto_attendant.</summary>
        [Parameter]
        [Column("type")]
        [SupportsWildcards]
        public string[] Type { get; set; }

        /// <summary>Phone contexts.</summary>
        [Parameter]
        [Column("phone_context")]
        [SupportsWildcards]
        public string[] PhoneContext { get; set; }
    }

    /// <summary>Containers that can hold contacts.</summary>
    [Cmdlet(VerbsCommon.Get, "UmxOrganizationalUnit")]
    [OutputType("Umx.OrganizationalUnit")]
    public sealed class GetUmxOrganizationalUnitCommand : DirectoryRecordCommand
    {
        internal override string Table { get { return "organizational_unit"; } }

        internal override string Noun { get { return "organizational unit"; } }

        internal override string[] NameColumns { get { return new[] { "name", "dn" }; } }
    }

    /// <summary>The containers of umx's interest, and the state of their access lists.</summary>
    [Cmdlet(VerbsCommon.Get, "UmxContainer")]
    [OutputType("Umx.Container")]
    public sealed class GetUmxContainerCommand : DirectoryRecordCommand
    {
        internal override string Table { get { return "container"; } }

        internal override string Noun { get { return "container"; } }

        internal override string[] NameColumns { get { return new[] { "kind", "dn" }; } }
    }

    /// <summary>Access entries of these containers, in order.</summary>
    [Cmdlet(VerbsCommon.Get, "UmxPermission")]
    [OutputType("Umx.AccessEntry")]
    public sealed class GetUmxPermissionCommand : DirectoryRecordCommand
    {
        internal override string Table { get { return "access_entry"; } }

        internal override string Noun { get { return "object with access entries"; } }

        internal override string[] NameColumns { get { return new[] { "target_dn" }; } }

        /// <summary>SIDs of trustees.</summary>
        [Parameter]
        [Column("trustee_sid")]
        [SupportsWildcards]
        public string[] Trustee { get; set; }
    }

    /// <summary>Users enabled for Lync.</summary>
    [Cmdlet(VerbsCommon.Get, "UmxVoiceUser")]
    [OutputType("Umx.VoiceUser")]
    public sealed class GetUmxVoiceUserCommand : DirectoryRecordCommand
    {
        internal override string Table { get { return "voice_user"; } }

        internal override string Noun { get { return "Lync user"; } }

        internal override string[] NameColumns { get { return new[] { "sam_account_name", "user_principal_name", "sip_address", "display_name", "dn" }; } }
    }

    /// <summary>Users with a mailbox.</summary>
    [Cmdlet(VerbsCommon.Get, "UmxMailboxUser")]
    [OutputType("Umx.MailboxUser")]
    public sealed class GetUmxMailboxUserCommand : DirectoryRecordCommand
    {
        internal override string Table { get { return "mailbox_user"; } }

        internal override string Noun { get { return "mailbox user"; } }

        internal override string[] NameColumns { get { return new[] { "sam_account_name", "user_principal_name", "display_name", "dn" }; } }

        /// <summary>UM dial plans, by name or DN.</summary>
        [Parameter]
        [Column("um_dial_plan_dn")]
        [SupportsWildcards]
        public string[] DialPlan { get; set; }

        /// <summary>UM mailbox policies, by name or DN.</summary>
        [Parameter]
        [Column("um_policy_dn")]
        [SupportsWildcards]
        public string[] Policy { get; set; }
    }

    /// <summary>Administrative groups by their meaning.</summary>
    [Cmdlet(VerbsCommon.Get, "UmxAdminGroup")]
    [OutputType("Umx.AdminGroup")]
    public sealed class GetUmxAdminGroupCommand : DirectoryRecordCommand
    {
        internal override string Table { get { return "admin_group"; } }

        internal override string Noun { get { return "administrative group"; } }

        internal override string[] NameColumns { get { return new[] { "meaning", "name", "dn" }; } }
    }

    /// <summary>State of each phase for each pair of forests, as it was last judged.</summary>
    [Cmdlet(VerbsCommon.Get, "UmxPhaseState")]
    [OutputType("Umx.PhaseState")]
    public sealed class GetUmxPhaseStateCommand : InventoryCommand
    {
        internal override string Table { get { return "phase_state"; } }

        internal override string Noun { get { return "phase"; } }

        internal override string[] NameColumns { get { return new[] { "phase" }; } }

        internal override string[] Names { get { return Phase; } }

        /// <summary>Phases.</summary>
        [Parameter(Position = 0, ValueFromPipelineByPropertyName = true)]
        [Alias("Slug")]
        [ArgumentCompleter(typeof(PhaseCompleter))]
        [SupportsWildcards]
        public string[] Phase { get; set; }

        /// <summary>done, partial, missing, unknown, not_applicable or drifted.</summary>
        [Parameter]
        [Column("state")]
        [SupportsWildcards]
        public string[] State { get; set; }

        /// <summary>Exchange forests.</summary>
        [Parameter]
        [Column("exchange")]
        [ArgumentCompleter(typeof(ForestCompleter))]
        [SupportsWildcards]
        public string[] ExchangeForest { get; set; }

        /// <summary>Lync forests.</summary>
        [Parameter]
        [Column("lync")]
        [ArgumentCompleter(typeof(ForestCompleter))]
        [SupportsWildcards]
        public string[] LyncForest { get; set; }
    }
}
