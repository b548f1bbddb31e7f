/* Certificates of Exchange servers (phase 2): request, import, binding to the UM services. */
#include "agent/action/cmdlet.h"

static const struct umx_cmdlet new_request = {
    .parameters = {{.name = "server", .type = UMX_PARAMETER_HOST},
                   {.name = "subject", .type = UMX_PARAMETER_TEXT},
                   {.name = "names", .type = UMX_PARAMETER_FQDN, .list = true},
                   {.name = "friendly_name", .type = UMX_PARAMETER_NAME}},
    .makes = true,
    .script = "function Get-It($v) {\n"
              "  foreach ($it in @(Get-ExchangeCertificate -Server $v['server'])) {\n"
              "    if ($it -ne $null -and [string]$it.Status -eq 'PendingRequest' -and [string]$it.FriendlyName -eq "
              "$v['friendly_name']) {\n"
              "      $text = [string](Export-ExchangeCertificate -Server $v['server'] -Thumbprint $it.Thumbprint)\n"
              "      if ($text -notmatch '-----BEGIN') {\n"
              "        $text = \"-----BEGIN CERTIFICATE REQUEST-----`n\" + $text.Trim() + \"`n-----END CERTIFICATE "
              "REQUEST-----`n\"\n"
              "      }\n"
              "      Write-Value 'now' $it.Thumbprint\n"
              "      Write-Value 'result:thumbprint' $it.Thumbprint\n"
              "      Write-Value 'result:request' $text\n"
              "      Write-Value 'reached' 'yes'\n"
              "      break\n"
              "    }\n"
              "  }\n"
              "}\n"
              "function Set-It($v) {\n"
              "  New-ExchangeCertificate -GenerateRequest -Server $v['server'] -SubjectName $v['subject'] `\n"
              "    -DomainName @(Get-List $v['names']) -FriendlyName $v['friendly_name'] -PrivateKeyExportable $true\n"
              "}\n",
};

/* A pending request and a certificate are removed alike: both have a thumbprint. */
static const struct umx_cmdlet remove_certificate = {
    .parameters = {{.name = "server", .type = UMX_PARAMETER_HOST},
                   {.name = "thumbprint", .type = UMX_PARAMETER_THUMBPRINT}},
    .script = "function Get-It($v) {\n"
              "  $there = $false\n"
              "  foreach ($it in @(Get-ExchangeCertificate -Server $v['server'])) {\n"
              "    if ($it -ne $null -and [string]$it.Thumbprint -eq $v['thumbprint']) { $there = $true }\n"
              "  }\n"
              "  if ($there) { Write-Value 'now' 'there' } else { Write-Value 'reached' 'yes' }\n"
              "}\n"
              "function Set-It($v) { Remove-ExchangeCertificate -Server $v['server'] -Thumbprint $v['thumbprint'] "
              "-Confirm:$false }\n",
};

static const struct umx_cmdlet import_certificate = {
    .parameters = {{.name = "server", .type = UMX_PARAMETER_HOST},
                   {.name = "certificate", .type = UMX_PARAMETER_CERTIFICATE}},
    .makes = true,
    .script = "function Get-It($v) {\n"
              "  foreach ($it in @(Get-ExchangeCertificate -Server $v['server'])) {\n"
              "    if ($it -ne $null -and [string]$it.Thumbprint -eq $v['thumbprint'] -and\n"
              "        [string]$it.Status -ne 'PendingRequest') { Write-Value 'reached' 'yes' }\n"
              "  }\n"
              "  Write-Value 'result:thumbprint' $v['thumbprint']\n"
              "}\n"
              "function Set-It($v) {\n"
              "  $bytes = [Convert]::FromBase64String($v['certificate'])\n"
              "  $it = Import-ExchangeCertificate -Server $v['server'] -FileData $bytes -PrivateKeyExportable $true\n"
              "  if (-not $it.HasPrivateKey) {\n"
              "    Remove-ExchangeCertificate -Server $v['server'] -Thumbprint $v['thumbprint'] -Confirm:$false\n"
              "    throw 'the certificate answers no request of this server: it would have no private key'\n"
              "  }\n"
              "}\n",
};

static const struct umx_cmdlet enable_certificate = {
    .parameters = {{.name = "server", .type = UMX_PARAMETER_HOST},
                   {.name = "service", .type = UMX_PARAMETER_WORD, .words = "UM UMCallRouter"},
                   {.name = "thumbprint", .type = UMX_PARAMETER_THUMBPRINT}},
    .script =
        "function Get-Setting($v) {\n"
        "  if ($v['service'] -eq 'UMCallRouter') { return Get-UMCallRouterSettings -Server $v['server'] }\n"
        "  if (Get-Command 'Get-UMService' -ErrorAction SilentlyContinue) { return Get-UMService -Identity "
        "$v['server'] }\n"
        "  return Get-UMServer -Identity $v['server']\n"
        "}\n"
        "function Get-It($v) {\n"
        "  $bound = [string](Get-Setting $v).UMCertificateThumbprint\n"
        "  Write-All 'before:previous_thumbprint' $bound\n"
        "  if ($bound -eq $v['thumbprint']) { Write-Value 'reached' 'yes' }\n"
        "}\n"
        "function Set-It($v) {\n"
        "  $enable = @{ Server = $v['server']; Thumbprint = $v['thumbprint']; Services = $v['service']; Confirm = "
        "$false }\n"
        "  if ((Get-Command Enable-ExchangeCertificate).Parameters.ContainsKey('Force')) { $enable['Force'] = $true }\n"
        "  Enable-ExchangeCertificate @enable\n"
        "}\n",
};

const struct umx_action umx_certificate_actions[] = {
    UMX_CMDLET(EXCHANGE, "new-certificate-request", NULL, &new_request),
    UMX_CMDLET(EXCHANGE, "remove-certificate-request", NULL, &remove_certificate),
    UMX_CMDLET(EXCHANGE, "import-certificate", "certificate", &import_certificate),
    UMX_CMDLET(EXCHANGE, "remove-certificate", "certificate", &remove_certificate),
    UMX_CMDLET(EXCHANGE, "enable-certificate", "um_setting event", &enable_certificate),
};
const size_t umx_certificate_action_count = sizeof umx_certificate_actions / sizeof *umx_certificate_actions;
