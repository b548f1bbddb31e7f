# Stand-ins for the Lync cmdlets that umx uses. The configuration store, which Lync keeps in a database, is stores/FOREST.json
# of the lab; users are real objects of the forest. They refuse what the real ones refuse, as far as the specification says.
# $Here is the recorded host.

function Read-Store($part) {
    $store = [Umx.Lab.Store]::OfForest($Here.Forest)
    try { $store.Root[$part] } finally { $store.Dispose() }
}

# Changes one part of the store under its lock: $editor gets the list and returns the new one. It sees the variables of this
# function before those of its caller, so these have names of their own.
function Edit-Store($part, [scriptblock]$editor) {
    $store = [Umx.Lab.Store]::OfForest($Here.Forest)
    try {
        $store.Root[$part] = [Collections.ArrayList]@(& $editor @($store.Root[$part]))
        $store.Save()
    } finally { $store.Dispose() }
}

function Show($items) { foreach ($item in $items) { if ($item) { [pscustomobject]$item } } }

# ---- dial plans

function Get-PlanIdentity($identity) { if ($identity -match '^(global$|site:|registrar:|pstngateway:|tag:)') { $identity } else { "Tag:$identity" } }

function Get-CsDialPlan {
    param([string]$Identity)
    foreach ($plan in Read-Store 'dial_plans') {
        if ($Identity -and $plan['Identity'] -ne (Get-PlanIdentity $Identity)) { continue }
        [pscustomobject]@{ Identity = $plan['Identity']; SimpleName = $plan['SimpleName']; NormalizationRules = @(Show $plan['NormalizationRules']) }
    }
}

function Assert-SimpleName($name, $but) {
    if ($name -cnotmatch '^[A-Za-z0-9.+_()-]{1,256}$') { throw "The SimpleName `"$name`" is not valid: only letters, digits and - . + _ ( ) may be used." }
    foreach ($plan in Read-Store 'dial_plans') {
        if ($plan['SimpleName'] -eq $name -and $plan['Identity'] -ne $but) { throw "The SimpleName `"$name`" is already used by dial plan `"$($plan['Identity'])`"." }
    }
}

# Sites and services must be those of the topology.
function Assert-Scope($identity) {
    $kind, $name = $identity -split ':', 2
    $known = switch ($kind) {
        'site' { Read-Store 'pools' | ForEach-Object { $_['Site'] -replace '^Site:', '' } }
        'registrar' { Read-Store 'pools' | ForEach-Object { $_['Fqdn'] } }
        'pstngateway' { Read-Store 'pstn_gateways' | ForEach-Object { $_['PoolFqdn'] } }
        default { return }
    }
    if ($known -notcontains $name) { throw "There is no $kind `"$name`" in the topology." }
}

function New-CsDialPlan {
    [CmdletBinding(SupportsShouldProcess)]
    param([Parameter(Mandatory)][string]$Identity, [string]$SimpleName)
    $id = Get-PlanIdentity $Identity
    if (Get-CsDialPlan -Identity $id) { throw "The dial plan `"$Identity`" already exists." }
    Assert-Scope $id
    if (-not $SimpleName) { $SimpleName = ($id -split ':')[-1] }
    Assert-SimpleName $SimpleName $id
    # A new plan has the rule that the product makes for it.
    Edit-Store 'dial_plans' { param($plans) $plans + @{ Identity = $id; SimpleName = $SimpleName; NormalizationRules = [Collections.ArrayList]@(@{ Name = 'Keep All'; Pattern = '^(\d+)$'; Translation = '$1' }) } }
    Get-CsDialPlan -Identity $id
}

function Edit-Plan($identity, [scriptblock]$change) {
    $id = Get-PlanIdentity $identity
    if (-not (Get-CsDialPlan -Identity $id)) { throw "There is no dial plan `"$identity`"." }
    Edit-Store 'dial_plans' { param($plans) foreach ($plan in $plans) { if ($plan['Identity'] -eq $id) { & $change $plan }; $plan } }
}

function Set-CsDialPlan {
    [CmdletBinding(SupportsShouldProcess)]
    param([Parameter(Mandatory)][string]$Identity, [Parameter(Mandatory)][string]$SimpleName)
    Assert-SimpleName $SimpleName (Get-PlanIdentity $Identity)
    Edit-Plan $Identity { param($plan) $plan['SimpleName'] = $SimpleName }
}

function Remove-CsDialPlan {
    [CmdletBinding(SupportsShouldProcess, ConfirmImpact = 'High')]
    param([Parameter(Mandatory)][string]$Identity)
    $id = Get-PlanIdentity $Identity
    if (-not (Get-CsDialPlan -Identity $id)) { throw "There is no dial plan `"$Identity`"." }
    foreach ($grant in Read-Store 'grants') { if ($grant -and "Tag:$($grant['DialPlan'])" -eq $id) { throw "The dial plan `"$Identity`" is granted to users." } }
    Edit-Store 'dial_plans' {
        param($plans)
        foreach ($plan in $plans) {
            if ($plan['Identity'] -ne $id) { $plan } elseif ($id -eq 'Global') { @{ Identity = 'Global'; SimpleName = 'DefaultProfile'; NormalizationRules = [Collections.ArrayList]@() } }
        }
    }
}

function New-CsVoiceNormalizationRule {
    [CmdletBinding(SupportsShouldProcess)]
    param([Parameter(Mandatory)][string]$Identity, [Parameter(Mandatory)][string]$Pattern, [Parameter(Mandatory)][string]$Translation, [ValidateRange(0, 2147483647)][int]$Priority = 2147483647)
    $plan, $name = $Identity -split '/', 2
    $null = [regex]::new($Pattern)
    foreach ($rule in (Get-CsDialPlan -Identity $plan).NormalizationRules) { if ($rule.Name -eq $name) { throw "The normalization rule `"$Identity`" already exists." } }
    Edit-Plan $plan {
        param($plan)
        $rules = [Collections.ArrayList]@($plan['NormalizationRules'])
        $rules.Insert([Math]::Min($Priority, $rules.Count), @{ Name = $name; Pattern = $Pattern; Translation = $Translation })
        $plan['NormalizationRules'] = $rules
    }
}

function Remove-CsVoiceNormalizationRule {
    [CmdletBinding(SupportsShouldProcess, ConfirmImpact = 'High')]
    param([Parameter(Mandatory)][string]$Identity)
    $plan, $name = $Identity -split '/', 2
    if (@((Get-CsDialPlan -Identity $plan).NormalizationRules | Where-Object { $_.Name -eq $name }).Count -eq 0) { throw "There is no normalization rule `"$Identity`"." }
    Edit-Plan $plan { param($plan) $plan['NormalizationRules'] = [Collections.ArrayList]@(@($plan['NormalizationRules']) | Where-Object { $_['Name'] -ne $name }) }
}

# ---- policies and topology

function Get-CsMediaConfiguration { Show (Read-Store 'media') }
function Get-CsVoicePolicy { Show (Read-Store 'voice_policies') }
function Get-CsVoiceRoute { Show (Read-Store 'voice_routes') }
function Get-CsPstnUsage { Show (Read-Store 'pstn_usages') }

function Get-CsService {
    param([switch]$PstnGateway, [switch]$Registrar)
    if ($PstnGateway) { Show (Read-Store 'pstn_gateways') }
    if ($Registrar) {
        foreach ($pool in Read-Store 'pools') {
            [pscustomobject]@{ Identity = "Registrar:$($pool['Fqdn'])"; PoolFqdn = $pool['Fqdn']; BackupRegistrar = $(if ($pool['BackupPool']) { "Registrar:$($pool['BackupPool'])" }) }
        }
    }
}

function Get-CsPool {
    param([string]$Identity)
    foreach ($pool in Read-Store 'pools') { if (-not $Identity -or $pool['Fqdn'] -eq $Identity) { [pscustomobject]$pool } }
}

# A pool can lose a member while the service of all of them runs.
function Get-CsPoolUpgradeReadinessState {
    foreach ($pool in Read-Store 'pools') {
        $state = 'Ready'
        foreach ($computer in $pool['Computers']) {
            $services = Get-Services $computer
            foreach ($service in $services) { if ($service['name'] -eq 'RTCSRV' -and $service['state'] -ne 'running') { $state = 'Busy' } }
        }
        if ($pool['NotReady']) { $state = 'NotReady' }
        [pscustomobject]@{ PoolFqdn = $pool['Fqdn']; State = $state }
    }
}

# ---- services of the recorded host

function Get-Services($computer) {
    $store = [Umx.Lab.Store]::OfHost($Here.Other($computer), 'services.json')
    try { $store.Root } finally { $store.Dispose() }
}

function Edit-Service($name, [scriptblock]$change) {
    $store = [Umx.Lab.Store]::OfHost($Here, 'services.json')
    try {
        $found = @($store.Root | Where-Object { $_['name'] -eq $name })
        if (-not $found.Count) { throw "There is no service `"$name`" on $($Here.Fqdn)." }
        & $change $found[0]
        $store.Save()
    } finally { $store.Dispose() }
}

function Stop-CsWindowsService {
    [CmdletBinding(SupportsShouldProcess)]
    param([Parameter(Mandatory)][string]$Name, [switch]$Graceful)
    Edit-Service $Name { param($service) $service['state'] = 'stopped'; $service['process_id'] = $null; $service['started_at'] = $null }
}

function Start-CsWindowsService {
    [CmdletBinding(SupportsShouldProcess)]
    param([Parameter(Mandatory)][string]$Name)
    Edit-Service $Name {
        param($service)
        if ($service['state'] -eq 'running') { return }
        $service['state'] = 'running'; $service['process_id'] = [Environment]::TickCount % 30000 + 5000
        $service['started_at'] = [DateTime]::UtcNow.ToString('yyyy-MM-ddTHH:mm:ssZ')
    }
}

# ---- users

$userAttributes = 'msRTCSIP-PrimaryUserAddress', 'msRTCSIP-OptionFlags', 'msRTCSIP-Line', 'msRTCSIP-UserEnabled', 'displayName'

function Find-Users($filter) {
    [Umx.Lab.Directory]::Search($Here.Forest, [Umx.Lab.Directory]::Base($Here.Forest), 'sub', "(&(objectCategory=person)(objectClass=user)(msRTCSIP-UserEnabled=TRUE)$filter)", [string[]]$userAttributes)
}

function Get-CsUser {
    param([string]$Identity)
    $grants = @{}
    foreach ($grant in Read-Store 'grants') { if ($grant) { $grants[$grant['SipAddress']] = $grant } }
    $found = @(Find-Users $(if ($Identity) { "(msRTCSIP-PrimaryUserAddress=$([Umx.Lab.Directory]::Escape($Identity)))" } else { '' }))
    if ($Identity -and $found.Count -ne 1) { throw "Management object not found for identity `"$Identity`"." }
    foreach ($entry in $found) {
        $sip = $entry['msRTCSIP-PrimaryUserAddress'][0]
        $flags = if ($entry.ContainsKey('msRTCSIP-OptionFlags')) { [int]$entry['msRTCSIP-OptionFlags'][0] } else { 0 }
        [pscustomobject]@{
            Identity = $entry['dn']; SipAddress = $sip; EnterpriseVoiceEnabled = [bool]($flags -band 128)
            LineURI = $(if ($entry.ContainsKey('msRTCSIP-Line')) { $entry['msRTCSIP-Line'][0] } else { '' })
            DialPlan = $(if ($grants[$sip]) { $grants[$sip]['DialPlan'] }); VoicePolicy = $(if ($grants[$sip]) { $grants[$sip]['VoicePolicy'] })
            OptionFlags = $flags
        }
    }
}

function Set-CsUser {
    [CmdletBinding(SupportsShouldProcess)]
    param([Parameter(Mandatory)][string]$Identity, [bool]$EnterpriseVoiceEnabled, [AllowEmptyString()][string]$LineURI)
    $user = Get-CsUser -Identity $Identity
    $ldif = [Umx.Lab.Directory]::Line('dn', $user.Identity) + "changetype: modify`n"
    if ($PSBoundParameters.ContainsKey('EnterpriseVoiceEnabled')) {
        $flags = if ($EnterpriseVoiceEnabled) { $user.OptionFlags -bor 128 } else { $user.OptionFlags -band -bnot 128 }
        $ldif += "replace: msRTCSIP-OptionFlags`nmsRTCSIP-OptionFlags: $flags`n-`n"
    }
    if ($PSBoundParameters.ContainsKey('LineURI')) {
        if ($LineURI -and $LineURI -notmatch '^tel:\+[1-9][0-9]+(;ext=[0-9]+)?$') { throw "The LineURI `"$LineURI`" is not valid." }
        if ($LineURI) {
            $other = [Umx.Lab.Directory]::Search($Here.Forest, [Umx.Lab.Directory]::Base($Here.Forest), 'sub', "(msRTCSIP-Line=$([Umx.Lab.Directory]::Escape($LineURI)))", [string[]]'cn')
            foreach ($one in $other) { if ($one['dn'] -ne $user.Identity) { throw "The LineURI `"$LineURI`" is already assigned to `"$($one['dn'])`"." } }
        }
        $ldif += "replace: msRTCSIP-Line`n" + $(if ($LineURI) { [Umx.Lab.Directory]::Line('msRTCSIP-Line', $LineURI) } else { '' }) + "-`n"
    }
    [Umx.Lab.Directory]::Modify($Here.Forest, $ldif)
}

function Grant-Policy($identity, $name, $policy, $known) {
    $sip = (Get-CsUser -Identity $identity).SipAddress
    if ($policy -and $known -notcontains "Tag:$policy") { throw "The policy `"$policy`" is not a user policy of this deployment." }
    Edit-Store 'grants' {
        param($grants)
        $own = @{ SipAddress = $sip; DialPlan = $null; VoicePolicy = $null }
        foreach ($grant in $grants) { if ($grant -and $grant['SipAddress'] -eq $sip) { $own = $grant } elseif ($grant) { $grant } }
        $own[$name] = $policy
        if ($own['DialPlan'] -or $own['VoicePolicy']) { $own }
    }
}

function Grant-CsDialPlan {
    [CmdletBinding(SupportsShouldProcess)]
    param([Parameter(Mandatory)][string]$Identity, [AllowNull()][AllowEmptyString()][string]$PolicyName)
    Grant-Policy $Identity 'DialPlan' $PolicyName @((Get-CsDialPlan).Identity)
}

function Grant-CsVoicePolicy {
    [CmdletBinding(SupportsShouldProcess)]
    param([Parameter(Mandatory)][string]$Identity, [AllowNull()][AllowEmptyString()][string]$PolicyName)
    Grant-Policy $Identity 'VoicePolicy' $PolicyName @((Get-CsVoicePolicy).Identity)
}

# ---- rights on organizational units

function Test-CsOUPermission {
    param([Parameter(Mandatory)][string]$OU, [Parameter(Mandatory)][ValidateSet('Contact', 'Device')][string]$ObjectType)
    [Umx.Lab.Permissions]::Run($Here.Forest, 'test', $OU, $ObjectType) -eq 'True'
}

function Grant-CsOUPermission {
    [CmdletBinding(SupportsShouldProcess)]
    param([Parameter(Mandatory)][string]$OU, [Parameter(Mandatory)][ValidateSet('Contact', 'Device')][string]$ObjectType)
    $null = [Umx.Lab.Permissions]::Run($Here.Forest, 'grant', $OU, $ObjectType)
}

function Revoke-CsOUPermission {
    [CmdletBinding(SupportsShouldProcess, ConfirmImpact = 'High')]
    param([Parameter(Mandatory)][string]$OU, [Parameter(Mandatory)][ValidateSet('Contact', 'Device')][string]$ObjectType)
    $null = [Umx.Lab.Permissions]::Run($Here.Forest, 'revoke', $OU, $ObjectType)
}

Export-ModuleMember -Function 'Get-CsDialPlan', 'New-CsDialPlan', 'Set-CsDialPlan', 'Remove-CsDialPlan', 'New-CsVoiceNormalizationRule', 'Remove-CsVoiceNormalizationRule',
'Get-CsMediaConfiguration', 'Get-CsVoicePolicy', 'Get-CsVoiceRoute', 'Get-CsPstnUsage', 'Get-CsService', 'Get-CsPool', 'Get-CsPoolUpgradeReadinessState',
'Stop-CsWindowsService', 'Start-CsWindowsService', 'Get-CsUser', 'Set-CsUser', 'Grant-CsDialPlan', 'Grant-CsVoicePolicy',
'Test-CsOUPermission', 'Grant-CsOUPermission', 'Revoke-CsOUPermission'
