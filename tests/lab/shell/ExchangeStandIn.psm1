# Stand-ins for the Exchange cmdlets that umx uses: what they make are real objects in the lab's forest. They refuse what
# the real ones refuse, as far as the specification says. $Here is the recorded host.

$modern = $Here.Version -like '15.*'
$script:organization = $null

function Get-Organization {
    if (-not $script:organization) {
        $found = [Umx.Lab.Directory]::Search($Here.Forest, "CN=Microsoft Exchange,CN=Services,$([Umx.Lab.Directory]::Configuration($Here.Forest))",
            'one', '(objectClass=msExchOrganizationContainer)', [string[]]'cn')
        $script:organization = $found[0]['dn']
    }
    $script:organization
}

function Get-First($entry, $name) { if ($entry.ContainsKey($name)) { $entry[$name][0] } }
function Get-All($entry, $name) { if ($entry.ContainsKey($name)) { $entry[$name] } else { @() } }

function Find-Entry($container, $class, $attributes) {
    $base = if ($container) { "CN=$container,$(Get-Organization)" } else { Get-Organization }
    [Umx.Lab.Directory]::Search($Here.Forest, $base, 'sub', "(objectClass=$class)", [string[]](@('cn') + $attributes))
}

# One object of those by name or DN; an error when it is not there.
function Select-One($list, $identity, $what) {
    foreach ($one in $list) { if ($one.Name -eq $identity -or $one.DistinguishedName -eq $identity) { return $one } }
    throw "The $what `"$identity`" couldn't be found on '$($Here.Fqdn)'."
}

function Assert-Name($name, $list, $what) {
    if ($name.Length -gt 64) { throw "The length of the property is too long. The maximum length is 64 and the length of the value provided is $($name.Length)." }
    if (@($list | Where-Object { $_.Name -eq $name }).Count) { throw "The $what `"$name`" already exists." }
}

# LDIF of an addition or a change; values that are $null are left out.
function New-Entry($dn, $class, $attributes) {
    $ldif = [Umx.Lab.Directory]::Line('dn', $dn) + "changetype: add`nobjectClass: $class`n"
    foreach ($name in $attributes.Keys) {
        foreach ($value in @($attributes[$name])) { if ($null -ne $value) { $ldif += [Umx.Lab.Directory]::Line($name, [string]$value) } }
    }
    [Umx.Lab.Directory]::Modify($Here.Forest, $ldif)
}

function Remove-Entry($dn) {
    [Umx.Lab.Directory]::Modify($Here.Forest, [Umx.Lab.Directory]::Line('dn', $dn) + "changetype: delete`n")
}

# $changes: a list of operation, attribute, values.
function Edit-Entry($dn, $changes) {
    $ldif = [Umx.Lab.Directory]::Line('dn', $dn) + "changetype: modify`n"
    foreach ($change in $changes) {
        $ldif += "$($change[0]): $($change[1])`n"
        foreach ($value in @($change[2])) { if ($null -ne $value) { $ldif += [Umx.Lab.Directory]::Line($change[1], [string]$value) } }
        $ldif += "-`n"
    }
    [Umx.Lab.Directory]::Modify($Here.Forest, $ldif)
}

# ---- dial plans, policies, auto attendants

$uriTypes = @{ '1' = 'TelExtn'; '2' = 'E164'; '3' = 'SipName' }
$securities = @{ '1' = 'SIPSecured'; '2' = 'Unsecured'; '3' = 'Secured' }

function Get-Key($table, $word) { foreach ($key in $table.Keys) { if ($table[$key] -eq $word) { return $key } } throw "Cannot convert `"$word`"." }

function Get-UMDialPlan {
    param([string]$Identity)
    $all = foreach ($entry in Find-Entry 'UM DialPlan Container' 'msExchUMDialPlan' @('msExchUMPhoneContext', 'msExchUMDialPlanURIType', 'msExchUMDialPlanVoipSecurity',
            'msExchUMNumberingPlanDigits', 'msExchUMVoiceMailPilotNumbers', 'msExchUMCountryCode')) {
        [pscustomobject]@{
            Name = Get-First $entry 'cn'; DistinguishedName = $entry['dn']; PhoneContext = Get-First $entry 'msExchUMPhoneContext'
            URIType = $uriTypes[[string](Get-First $entry 'msExchUMDialPlanURIType')]
            VoIPSecurity = $securities[[string](Get-First $entry 'msExchUMDialPlanVoipSecurity')]
            NumberOfDigitsInExtension = [int](Get-First $entry 'msExchUMNumberingPlanDigits')
            AccessTelephoneNumbers = Get-All $entry 'msExchUMVoiceMailPilotNumbers'
            CountryOrRegionCode = Get-First $entry 'msExchUMCountryCode'
        }
    }
    if ($Identity) { Select-One $all $Identity 'UM dial plan' } else { $all }
}

function New-UMDialPlan {
    [CmdletBinding(SupportsShouldProcess)]
    param([Parameter(Mandatory)][string]$Name, [Parameter(Mandatory)][ValidateRange(1, 20)][int]$NumberOfDigitsInExtension,
        [ValidateSet('TelExtn', 'E164', 'SipName')][string]$URIType = 'TelExtn',
        [ValidateSet('SIPSecured', 'Unsecured', 'Secured')][string]$VoIPSecurity = 'Unsecured',
        [string[]]$AccessTelephoneNumbers, [string]$CountryOrRegionCode, [bool]$GenerateUMMailboxPolicy = $true)
    Assert-Name $Name (Get-UMDialPlan) 'UM dial plan'
    if ($modern -and -not $CountryOrRegionCode) { throw 'Cannot process command because of one or more missing mandatory parameters: CountryOrRegionCode.' }
    foreach ($number in $AccessTelephoneNumbers) { if ($URIType -ne 'TelExtn' -and $number -notmatch '^\+[1-9][0-9]{1,14}$') { throw "`"$number`" isn't an E.164 number." } }
    $dn = "CN=$([Umx.Lab.Directory]::Rdn($Name)),CN=UM DialPlan Container,$(Get-Organization)"
    New-Entry $dn 'msExchUMDialPlan' ([ordered]@{
            msExchVersion = '4535486012416'; msExchUMPhoneContext = "$Name.$($Here.Forest)"
            msExchUMDialPlanURIType = Get-Key $uriTypes $URIType; msExchUMDialPlanVoipSecurity = Get-Key $securities $VoIPSecurity
            msExchUMNumberingPlanDigits = $NumberOfDigitsInExtension; msExchUMVoiceMailPilotNumbers = $AccessTelephoneNumbers
            msExchUMCountryCode = if ($CountryOrRegionCode) { $CountryOrRegionCode }
            msExchUMDialPlanFlags = 0; msExchUMDialPlanFlags2 = -1
        })
    if ($GenerateUMMailboxPolicy) {
        $policy = "$Name Default Policy"
        if ($policy.Length -gt 64) { $policy = $policy.Substring(0, 64) }
        $null = New-UMMailboxPolicy -Name $policy -UMDialPlan $Name
    }
    Get-UMDialPlan -Identity $Name
}

function Set-UMDialPlan {
    [CmdletBinding(SupportsShouldProcess)]
    param([Parameter(Mandatory)][string]$Identity, [AllowEmptyCollection()][string[]]$AccessTelephoneNumbers, [AllowEmptyString()][string]$CountryOrRegionCode,
        [ValidateSet('SIPSecured', 'Unsecured', 'Secured')][string]$VoIPSecurity)
    $plan = Get-UMDialPlan -Identity $Identity
    $changes = @()
    if ($PSBoundParameters.ContainsKey('AccessTelephoneNumbers')) { $changes += , @('replace', 'msExchUMVoiceMailPilotNumbers', $AccessTelephoneNumbers) }
    if ($PSBoundParameters.ContainsKey('CountryOrRegionCode')) { $changes += , @('replace', 'msExchUMCountryCode', $(if ($CountryOrRegionCode) { $CountryOrRegionCode })) }
    if ($VoIPSecurity) { $changes += , @('replace', 'msExchUMDialPlanVoipSecurity', (Get-Key $securities $VoIPSecurity)) }
    Edit-Entry $plan.DistinguishedName $changes
}

function Remove-UMDialPlan {
    [CmdletBinding(SupportsShouldProcess, ConfirmImpact = 'High')]
    param([Parameter(Mandatory)][string]$Identity)
    $plan = Get-UMDialPlan -Identity $Identity
    $dn = [Umx.Lab.Directory]::Escape($plan.DistinguishedName)
    $links = 'msExchUMMailboxPolicyDialPlanLink', 'msExchUMAutoAttendantDialPlanLink', 'msExchUMServerDialPlanLink', 'msExchUMHuntGroupDialPlanLink'
    $filter = '(|' + (-join ($links | ForEach-Object { "($_=$dn)" })) + ')'
    $used = [Umx.Lab.Directory]::Search($Here.Forest, (Get-Organization), 'sub', $filter, [string[]]'cn')
    if ($used.Count) { throw "The UM dial plan `"$Identity`" can't be removed because it's in use by `"$($used[0]['dn'])`"." }
    Remove-Entry $plan.DistinguishedName
}

function Get-UMMailboxPolicy {
    param([string]$Identity)
    $all = foreach ($entry in Find-Entry 'UM Mailbox Policies' 'msExchUMRecipientTemplate' @('msExchUMMailboxPolicyDialPlanLink')) {
        [pscustomobject]@{ Name = Get-First $entry 'cn'; DistinguishedName = $entry['dn']; UMDialPlan = Get-Link (Get-First $entry 'msExchUMMailboxPolicyDialPlanLink') }
    }
    if ($Identity) { Select-One $all $Identity 'UM mailbox policy' } else { $all }
}

# What ADObjectId shows of a DN.
function Get-Link($dn) {
    if ($dn) { [pscustomobject]@{ Name = ($dn -replace '^CN=((?:\\.|[^,\\])*),.*$', '$1') -replace '\\(.)', '$1'; DistinguishedName = $dn } }
}

function New-UMMailboxPolicy {
    [CmdletBinding(SupportsShouldProcess)]
    param([Parameter(Mandatory)][string]$Name, [Parameter(Mandatory)][string]$UMDialPlan)
    $plan = Get-UMDialPlan -Identity $UMDialPlan
    Assert-Name $Name (Get-UMMailboxPolicy) 'UM mailbox policy'
    New-Entry "CN=$([Umx.Lab.Directory]::Rdn($Name)),CN=UM Mailbox Policies,$(Get-Organization)" 'msExchUMRecipientTemplate' ([ordered]@{
            msExchVersion = '4535486012416'; msExchRecipientTemplateFlags = 0; msExchUMMailboxPolicyDialPlanLink = $plan.DistinguishedName; msExchUMPinPolicyMinPasswordLength = 6 })
    Get-UMMailboxPolicy -Identity $Name
}

function Remove-UMMailboxPolicy {
    [CmdletBinding(SupportsShouldProcess, ConfirmImpact = 'High')]
    param([Parameter(Mandatory)][string]$Identity)
    $policy = Get-UMMailboxPolicy -Identity $Identity
    $used = [Umx.Lab.Directory]::Search($Here.Forest, [Umx.Lab.Directory]::Base($Here.Forest), 'sub', "(msExchUMTemplateLink=$([Umx.Lab.Directory]::Escape($policy.DistinguishedName)))", [string[]]'cn')
    if ($used.Count) { throw "The UM mailbox policy `"$Identity`" can't be removed because it's assigned to mailbox `"$($used[0]['dn'])`"." }
    Remove-Entry $policy.DistinguishedName
}

function Get-UMAutoAttendant {
    param([string]$Identity)
    $all = foreach ($entry in Find-Entry 'UM AutoAttendant Container' 'msExchUMAutoAttendant' @('msExchUMAutoAttendantDialPlanLink', 'msExchUMAutoAttendantDialedNumbers', 'msExchUMAutoAttendantFlags')) {
        [pscustomobject]@{
            Name = Get-First $entry 'cn'; DistinguishedName = $entry['dn']; UMDialPlan = Get-Link (Get-First $entry 'msExchUMAutoAttendantDialPlanLink')
            PilotIdentifierList = Get-All $entry 'msExchUMAutoAttendantDialedNumbers'
            Status = if ([int](Get-First $entry 'msExchUMAutoAttendantFlags') -band 1) { 'Enabled' } else { 'Disabled' }
        }
    }
    if ($Identity) { Select-One $all $Identity 'UM auto attendant' } else { $all }
}

function New-UMAutoAttendant {
    [CmdletBinding(SupportsShouldProcess)]
    param([Parameter(Mandatory)][string]$Name, [Parameter(Mandatory)][string]$UMDialPlan, [string[]]$PilotIdentifierList, [ValidateSet('Enabled', 'Disabled')][string]$Status = 'Disabled')
    $plan = Get-UMDialPlan -Identity $UMDialPlan
    $all = @(Get-UMAutoAttendant)
    Assert-Name $Name $all 'UM auto attendant'
    foreach ($number in $PilotIdentifierList) {
        if ($plan.URIType -ne 'TelExtn' -and $number -notmatch '^\+[1-9][0-9]{1,14}$') { throw "`"$number`" isn't an E.164 number." }
        foreach ($other in $all) {
            if ($other.UMDialPlan.Name -eq $UMDialPlan -and $other.PilotIdentifierList -contains $number) { throw "The pilot identifier `"$number`" is already used by UM auto attendant `"$($other.Name)`"." }
        }
    }
    New-Entry "CN=$([Umx.Lab.Directory]::Rdn($Name)),CN=UM AutoAttendant Container,$(Get-Organization)" 'msExchUMAutoAttendant' ([ordered]@{
            msExchVersion = '4535486012416'; msExchUMAutoAttendantDialPlanLink = $plan.DistinguishedName; msExchUMAutoAttendantDialedNumbers = $PilotIdentifierList
            msExchUMAutoAttendantFlags = if ($Status -eq 'Enabled') { 1 } else { 0 }; msExchUMASREnabled = 'FALSE' })
    Get-UMAutoAttendant -Identity $Name
}

function Remove-UMAutoAttendant {
    [CmdletBinding(SupportsShouldProcess, ConfirmImpact = 'High')]
    param([Parameter(Mandatory)][string]$Identity)
    Remove-Entry (Get-UMAutoAttendant -Identity $Identity).DistinguishedName
}

function Enable-UMAutoAttendant {
    [CmdletBinding(SupportsShouldProcess)]
    param([Parameter(Mandatory)][string]$Identity)
    Edit-Entry (Get-UMAutoAttendant -Identity $Identity).DistinguishedName @(, @('replace', 'msExchUMAutoAttendantFlags', '1'))
}

function Disable-UMAutoAttendant {
    [CmdletBinding(SupportsShouldProcess)]
    param([Parameter(Mandatory)][string]$Identity)
    Edit-Entry (Get-UMAutoAttendant -Identity $Identity).DistinguishedName @(, @('replace', 'msExchUMAutoAttendantFlags', '0'))
}

# ---- servers

$modes = @{ '0' = 'TCP'; '1' = 'TLS'; '2' = 'Dual' }
$umAttributes = 'msExchUMServerDialPlanLink', 'msExchUMStartupMode', 'msExchUMTcpListeningPort', 'msExchUMTlsListeningPort', 'msExchUMCertificateThumbprint', 'msExchCurrentServerRoles'

function Find-Server($identity, $class) {
    $short = ($identity -split '\.')[0]
    foreach ($server in Find-Entry '' 'msExchExchangeServer' $umAttributes) {
        if ((Get-First $server 'cn') -ne $short) { continue }
        if ($class -eq 'msExchExchangeServer') { return $server }
        return [Umx.Lab.Directory]::Search($Here.Forest, $server['dn'], 'sub', "(objectClass=$class)", [string[]](@('cn') + $umAttributes))
    }
    throw "The server `"$identity`" couldn't be found."
}

function Get-Setting($entry, $server) {
    [pscustomobject]@{
        Name = ($server -split '\.')[0].ToUpper(); DistinguishedName = $entry['dn']
        UMStartupMode = $(if (Get-First $entry 'msExchUMStartupMode') { $modes[[string](Get-First $entry 'msExchUMStartupMode')] } else { 'TCP' })
        DialPlans = @(foreach ($dn in Get-All $entry 'msExchUMServerDialPlanLink') { Get-Link $dn })
        UMCertificateThumbprint = Get-First $entry 'msExchUMCertificateThumbprint'
        SipTcpListeningPort = Get-First $entry 'msExchUMTcpListeningPort'; SipTlsListeningPort = Get-First $entry 'msExchUMTlsListeningPort'
        SIPAccessService = $null
    }
}

# A server without the role has nothing to show.
function Get-UMService {
    param([Parameter(Mandatory)][string]$Identity)
    $entry = Find-Server $Identity 'msExchExchangeServer'
    if (-not ([int](Get-First $entry 'msExchCurrentServerRoles') -band 16)) { return }
    $setting = Get-Setting $entry $Identity
    $store = [Umx.Lab.Store]::OfForest($Here.Forest)
    try { $setting.SIPAccessService = $store.Root['sip_access_service'][$Identity.ToLower()] } finally { $store.Dispose() }
    $setting
}

function Get-UMServer {
    param([Parameter(Mandatory)][string]$Identity)
    Get-UMService -Identity $Identity
}

function Get-UMCallRouterSettings {
    param([Parameter(Mandatory)][string]$Server)
    foreach ($entry in @(Find-Server $Server 'msExchProtocolCfgSIPFEServer')) { Get-Setting $entry $Server }
}

# calls.json of the recorded host: how many there are now.
function Get-UMActiveCalls {
    param([Parameter(Mandatory)][string]$Server)
    $store = [Umx.Lab.Store]::OfHost($Here.Other($Server), 'calls.json')
    try { for ($i = 0; $i -lt $store.Root['active']; $i++) { [pscustomobject]@{ UMServer = $Server; Number = $i } } } finally { $store.Dispose() }
}

function Get-ExchangeServer {
    param([string]$Identity)
    foreach ($entry in Find-Entry '' 'msExchExchangeServer' @('serialNumber', 'msExchCurrentServerRoles')) {
        if (-not $Identity -or (Get-First $entry 'cn') -eq ($Identity -split '\.')[0]) {
            [pscustomobject]@{ Name = Get-First $entry 'cn'; DistinguishedName = $entry['dn']; AdminDisplayVersion = Get-First $entry 'serialNumber' }
        }
    }
}

# ---- certificates

function Get-Bound($server) {
    $bound = @{}
    foreach ($entry in @(Find-Server $server 'msExchExchangeServer')) { $bound['UM'] = Get-First $entry 'msExchUMCertificateThumbprint' }
    foreach ($entry in @(Find-Server $server 'msExchProtocolCfgSIPFEServer')) { $bound['UMCallRouter'] = Get-First $entry 'msExchUMCertificateThumbprint' }
    $bound
}

function Get-ExchangeCertificate {
    param([string]$Server = $Here.Fqdn, [string]$Thumbprint)
    $bound = Get-Bound $Server
    foreach ($one in [Umx.Lab.Certificates]::List($Here.Other($Server))) {
        if ($Thumbprint -and $one.Thumbprint -ne $Thumbprint) { continue }
        $services = @($bound.Keys | Where-Object { $bound[$_] -eq $one.Thumbprint })
        if ($services.Count) { $one.Services = $services -join ', ' }
        $one
    }
}

function New-ExchangeCertificate {
    [CmdletBinding(SupportsShouldProcess)]
    param([switch]$GenerateRequest, [string]$Server = $Here.Fqdn, [string]$SubjectName, [string[]]$DomainName, [string]$FriendlyName, [bool]$PrivateKeyExportable)
    if (-not $GenerateRequest) { throw 'Only -GenerateRequest is stood in for.' }
    [Umx.Lab.Certificates]::Request($Here.Other($Server), $SubjectName, $DomainName, $FriendlyName)
}

function Export-ExchangeCertificate {
    param([string]$Server = $Here.Fqdn, [Parameter(Mandatory)][string]$Thumbprint)
    [Umx.Lab.Certificates]::Export($Here.Other($Server), $Thumbprint)
}

function Import-ExchangeCertificate {
    [CmdletBinding(SupportsShouldProcess)]
    param([string]$Server = $Here.Fqdn, [Parameter(Mandatory)][byte[]]$FileData, [bool]$PrivateKeyExportable)
    [Umx.Lab.Certificates]::Import($Here.Other($Server), $FileData)
}

function Enable-ExchangeCertificate {
    [CmdletBinding(SupportsShouldProcess)]
    param([string]$Server = $Here.Fqdn, [Parameter(Mandatory)][string]$Thumbprint, [Parameter(Mandatory)][ValidateSet('UM', 'UMCallRouter')][string]$Services, [switch]$Force)
    $certificate = Get-ExchangeCertificate -Server $Server -Thumbprint $Thumbprint
    if (-not $certificate -or $certificate.Status -eq 'PendingRequest') { throw "The certificate with thumbprint $Thumbprint was not found." }
    if (-not $certificate.HasPrivateKey) { throw "The certificate with thumbprint $Thumbprint has no private key." }
    $class = if ($Services -eq 'UM') { 'msExchExchangeServer' } else { 'msExchProtocolCfgSIPFEServer' }
    $entry = @(Find-Server $Server $class)[0]
    if (-not $entry -or ($Services -eq 'UM' -and -not ([int](Get-First $entry 'msExchCurrentServerRoles') -band 16))) { throw "The server $Server doesn't have the $Services service." }
    if ((Get-Setting $entry $Server).UMStartupMode -eq 'TCP') { throw "The $Services service runs in TCP mode: the startup mode must be TLS or Dual before a certificate can be enabled for it." }
    [Umx.Lab.Certificates]::Show($Here.Other($Server), $certificate.Thumbprint)
    Edit-Entry $entry['dn'] @(, @('replace', 'msExchUMCertificateThumbprint', $certificate.Thumbprint))
}

function Remove-ExchangeCertificate {
    [CmdletBinding(SupportsShouldProcess, ConfirmImpact = 'High')]
    param([string]$Server = $Here.Fqdn, [Parameter(Mandatory)][string]$Thumbprint)
    if (-not (Get-ExchangeCertificate -Server $Server -Thumbprint $Thumbprint)) { throw "The certificate with thumbprint $Thumbprint was not found." }
    if ((Get-Bound $Server).Values -contains $Thumbprint) { throw "The certificate with thumbprint $Thumbprint is used by Unified Messaging and can't be removed." }
    [Umx.Lab.Certificates]::Remove($Here.Other($Server), $Thumbprint)
}

# ---- people

$mailboxAttributes = 'sAMAccountName', 'objectGUID', 'proxyAddresses', 'msExchUMEnabledFlags', 'msExchUMTemplateLink', 'msExchUMRecipientDialPlanLink'

function Find-Mailbox($identity) {
    $text = [Umx.Lab.Directory]::Escape($identity)
    $by = if ($identity -match '^[0-9a-fA-F-]{36}$') { "(objectGUID=$([Umx.Lab.Directory]::GuidFilter($identity)))" }
    elseif ($identity -match '=') { "(distinguishedName=$text)" }
    else { "(|(sAMAccountName=$text)(userPrincipalName=$text))" }
    $found = [Umx.Lab.Directory]::Search($Here.Forest, [Umx.Lab.Directory]::Base($Here.Forest), 'sub', "(&(msExchMailboxGuid=*)$by)", [string[]]$mailboxAttributes)
    if ($found.Count -ne 1) { throw "The operation couldn't be performed because object '$identity' couldn't be found on '$($Here.Fqdn)'." }
    $found[0]
}

function Test-Enabled($entry) { [bool]([int](Get-First $entry 'msExchUMEnabledFlags') -band 1) }

# Who has a proxy address; nobody is an empty list.
function Find-Proxy($address) {
    [Umx.Lab.Directory]::Search($Here.Forest, [Umx.Lab.Directory]::Base($Here.Forest), 'sub', "(proxyAddresses=$([Umx.Lab.Directory]::Escape($address)))", [string[]]'cn')
}

function Get-Mailbox {
    param([Parameter(Mandatory)][string]$Identity)
    $entry = Find-Mailbox $Identity
    [pscustomobject]@{ Name = Get-First $entry 'sAMAccountName'; DistinguishedName = $entry['dn']; Guid = Get-First $entry 'objectGUID'; UMEnabled = Test-Enabled $entry; EmailAddresses = Get-All $entry 'proxyAddresses' }
}

function Set-Mailbox {
    [CmdletBinding(SupportsShouldProcess)]
    param([Parameter(Mandatory)][string]$Identity, [Parameter(Mandatory)][hashtable]$EmailAddresses)
    $entry = Find-Mailbox $Identity
    $changes = @()
    $remove = @(foreach ($one in Get-All $entry 'proxyAddresses') { if ($EmailAddresses['Remove'] -contains $one) { $one } })
    if ($remove.Count) { $changes += , @('delete', 'proxyAddresses', $remove) }
    foreach ($address in $EmailAddresses['Add']) {
        if ($address -cnotmatch '^[A-Za-z0-9]+:.') { throw "The address `"$address`" is not valid." }
        foreach ($other in Find-Proxy $address) { if ($other['dn'] -ne $entry['dn']) { throw "The proxy address `"$address`" is already being used by `"$($other['dn'])`"." } }
    }
    if ($EmailAddresses['Add']) { $changes += , @('add', 'proxyAddresses', $EmailAddresses['Add']) }
    if ($changes.Count) { Edit-Entry $entry['dn'] $changes }
}

function Get-UMMailbox {
    param([Parameter(Mandatory)][string]$Identity)
    $entry = Find-Mailbox $Identity
    if (-not (Test-Enabled $entry)) { throw "The mailbox '$Identity' isn't enabled for Unified Messaging." }
    $extensions = @(); $sip = $null
    foreach ($address in Get-All $entry 'proxyAddresses') {
        if ($address -cmatch '^EUM:([^;]*);') { $sip = $Matches[1] } elseif ($address -match '^eum:([^;]*);') { $extensions += $Matches[1] }
    }
    [pscustomobject]@{
        Name = Get-First $entry 'sAMAccountName'; DistinguishedName = $entry['dn']; Extensions = $extensions; SIPResourceIdentifier = $sip
        UMMailboxPolicy = Get-Link (Get-First $entry 'msExchUMTemplateLink'); UMDialPlan = Get-Link (Get-First $entry 'msExchUMRecipientDialPlanLink')
    }
}

function Enable-UMMailbox {
    [CmdletBinding(SupportsShouldProcess)]
    param([Parameter(Mandatory)][string]$Identity, [Parameter(Mandatory)][string]$UMMailboxPolicy, [string[]]$Extensions, [string]$SIPResourceIdentifier)
    $entry = Find-Mailbox $Identity
    if (Test-Enabled $entry) { throw "The mailbox '$Identity' is already enabled for Unified Messaging." }
    $policy = Get-UMMailboxPolicy -Identity $UMMailboxPolicy
    $plan = Get-UMDialPlan -Identity $policy.UMDialPlan.DistinguishedName
    if ($plan.URIType -eq 'SipName' -and $SIPResourceIdentifier -notmatch '^[^@\s]+@[^@\s]+$') { throw 'A SIP resource identifier is required because the UM dial plan is of type SipName.' }
    $eum = @()
    if ($SIPResourceIdentifier) { $eum += "EUM:$SIPResourceIdentifier;phone-context=$($plan.PhoneContext)" }
    foreach ($extension in $Extensions) {
        if ($extension -notmatch "^[0-9]{$($plan.NumberOfDigitsInExtension)}$") { throw "The extension `"$extension`" isn't valid: it must have $($plan.NumberOfDigitsInExtension) digits." }
        $eum += "eum:$extension;phone-context=$($plan.PhoneContext)"
    }
    foreach ($address in $eum) {
        foreach ($other in Find-Proxy $address) { if ($other['dn'] -ne $entry['dn']) { throw "The extension or address `"$address`" is already assigned to `"$($other['dn'])`"." } }
    }
    $missing = @(foreach ($address in $eum) { if (-not ((Get-All $entry 'proxyAddresses') -contains $address)) { $address } })
    $changes = @(@('replace', 'msExchUMEnabledFlags', '831'), @('replace', 'msExchUMTemplateLink', $policy.DistinguishedName),
        @('replace', 'msExchUMRecipientDialPlanLink', $plan.DistinguishedName), @('replace', 'msExchUMAddresses', $eum))
    if ($missing.Count) { $changes += , @('add', 'proxyAddresses', $missing) }
    Edit-Entry $entry['dn'] $changes
    Get-UMMailbox -Identity $Identity
}

# What Exchange keeps with KeepProperties is in the mailbox; the directory is as before.
function Disable-UMMailbox {
    [CmdletBinding(SupportsShouldProcess, ConfirmImpact = 'High')]
    param([Parameter(Mandatory)][string]$Identity, [bool]$KeepProperties = $true)
    $entry = Find-Mailbox $Identity
    if (-not (Test-Enabled $entry)) { throw "The mailbox '$Identity' isn't enabled for Unified Messaging." }
    $changes = @(@('replace', 'msExchUMEnabledFlags', $null), @('replace', 'msExchUMTemplateLink', $null), @('replace', 'msExchUMRecipientDialPlanLink', $null), @('replace', 'msExchUMAddresses', $null))
    $eum = @(foreach ($one in Get-All $entry 'proxyAddresses') { if ($one -match '^eum:') { $one } })
    if ($eum.Count) { $changes += , @('delete', 'proxyAddresses', $eum) }
    Edit-Entry $entry['dn'] $changes
}

$names = 'Get-UMDialPlan', 'New-UMDialPlan', 'Set-UMDialPlan', 'Remove-UMDialPlan', 'Get-UMMailboxPolicy', 'New-UMMailboxPolicy', 'Remove-UMMailboxPolicy',
'Get-UMAutoAttendant', 'New-UMAutoAttendant', 'Remove-UMAutoAttendant', 'Enable-UMAutoAttendant', 'Disable-UMAutoAttendant', 'Get-UMActiveCalls', 'Get-ExchangeServer',
'Get-ExchangeCertificate', 'New-ExchangeCertificate', 'Export-ExchangeCertificate', 'Import-ExchangeCertificate', 'Enable-ExchangeCertificate', 'Remove-ExchangeCertificate',
'Get-Mailbox', 'Set-Mailbox', 'Get-UMMailbox', 'Enable-UMMailbox', 'Disable-UMMailbox'
$names += if ($modern) { 'Get-UMService', 'Get-UMCallRouterSettings' } else { 'Get-UMServer' }
Export-ModuleMember -Function $names
