// The certificate store of a recorded host: certificates/*.pem as the agent reads it, and requests/ for what waits for an
// authority. Keys and requests are real.
using System;
using System.Collections.Generic;
using System.IO;
using System.Linq;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;

namespace Umx.Lab;

/// <summary>What Get-ExchangeCertificate shows.</summary>
public sealed class CertificateEntry
{
    public string Thumbprint { get; init; } = "";
    public string Subject { get; init; } = "";
    public string FriendlyName { get; init; } = "";
    public string Status { get; init; } = "Valid";
    public string Services { get; set; } = "None";
    public bool HasPrivateKey { get; init; }
    public bool IsSelfSigned { get; init; }
    public DateTime NotAfter { get; init; }
}

public static class Certificates
{
    static string Requests(Host host) => System.IO.Directory.CreateDirectory(Path.Combine(host.Folder, "requests")).FullName;
    static string Mine(Host host) => Path.Combine(host.Folder, "certificates");

    public static CertificateEntry[] List(Host host)
    {
        var found = new List<CertificateEntry>();
        foreach (var file in System.IO.Directory.GetFiles(Mine(host), "*.pem").Order())
        {
            var text = File.ReadAllText(file);
            using var one = X509Certificate2.CreateFromPem(text);
            found.Add(new CertificateEntry
            {
                Thumbprint = one.Thumbprint, Subject = one.Subject, NotAfter = one.NotAfter, FriendlyName = Path.GetFileNameWithoutExtension(file),
                HasPrivateKey = text.Contains("PRIVATE KEY"), IsSelfSigned = one.Subject == one.Issuer,
                Status = one.NotAfter < DateTime.Now ? "DateInvalid" : "Valid",
            });
        }
        foreach (var file in System.IO.Directory.GetFiles(Requests(host), "*.csr").Order())
        {
            var lines = File.ReadAllLines(Path.ChangeExtension(file, ".about"));
            found.Add(new CertificateEntry
            {
                Thumbprint = Path.GetFileNameWithoutExtension(file), Subject = lines[0], FriendlyName = lines[1],
                Status = "PendingRequest", HasPrivateKey = true, IsSelfSigned = true,
            });
        }
        return found.ToArray();
    }

    /// <summary>A new key and its PKCS#10 in PEM; kept under the thumbprint of the placeholder that Windows would make.</summary>
    public static string Request(Host host, string subject, string[] names, string friendlyName)
    {
        using var key = RSA.Create(2048);
        var alternatives = new SubjectAlternativeNameBuilder();
        foreach (var name in names)
            alternatives.AddDnsName(name);
        var request = new CertificateRequest(new X500DistinguishedName(subject), key, HashAlgorithmName.SHA256, RSASignaturePadding.Pkcs1);
        request.CertificateExtensions.Add(alternatives.Build());
        request.CertificateExtensions.Add(new X509KeyUsageExtension(X509KeyUsageFlags.DigitalSignature | X509KeyUsageFlags.KeyEncipherment, true));
        request.CertificateExtensions.Add(new X509EnhancedKeyUsageExtension(new OidCollection { new("1.3.6.1.5.5.7.3.1") }, false));
        using var placeholder = request.CreateSelfSigned(DateTimeOffset.UtcNow.AddDays(-1), DateTimeOffset.UtcNow.AddDays(365));
        var pem = request.CreateSigningRequestPem();
        var file = Path.Combine(Requests(host), placeholder.Thumbprint);
        File.WriteAllText(file + ".key", key.ExportPkcs8PrivateKeyPem() + "\n");
        File.WriteAllText(file + ".about", request.SubjectName.Name + "\n" + friendlyName + "\n");
        File.WriteAllText(file + ".csr", pem + "\n");
        return pem;
    }

    public static string Export(Host host, string thumbprint) => File.ReadAllText(Path.Combine(Requests(host), thumbprint.ToUpperInvariant() + ".csr"));

    /// <summary>What the server's listeners show from the next restart of a service on (umxlab/standin.py).</summary>
    public static void Show(Host host, string thumbprint)
    {
        foreach (var file in System.IO.Directory.GetFiles(Mine(host), "*.pem"))
        {
            using var one = X509Certificate2.CreateFromPem(File.ReadAllText(file));
            if (one.Thumbprint.Equals(thumbprint, StringComparison.OrdinalIgnoreCase))
                File.Copy(file, Path.Combine(host.Folder, "shown.pem"), overwrite: true);
        }
    }

    /// <summary>Puts a certificate into the store, with its key when a request of this host has it.</summary>
    public static CertificateEntry Import(Host host, byte[] der)
    {
        using var one = X509CertificateLoader.LoadCertificate(der);
        if (List(host).Any(e => e.Thumbprint == one.Thumbprint))
            throw new InvalidOperationException($"A certificate with the thumbprint {one.Thumbprint} already exists.");
        var wanted = one.PublicKey.ExportSubjectPublicKeyInfo();
        string keyText = "";
        foreach (var file in System.IO.Directory.GetFiles(Requests(host), "*.key"))
        {
            using var key = RSA.Create();
            key.ImportFromPem(File.ReadAllText(file));
            if (!key.ExportSubjectPublicKeyInfo().SequenceEqual(wanted))
                continue;
            keyText = File.ReadAllText(file);
            foreach (var suffix in new[] { ".csr", ".about", ".key" })
                File.Delete(Path.ChangeExtension(file, suffix));
        }
        File.WriteAllText(Path.Combine(Mine(host), one.Thumbprint + ".pem"), one.ExportCertificatePem() + "\n" + keyText);
        return List(host).Single(e => e.Thumbprint == one.Thumbprint);
    }

    public static void Remove(Host host, string thumbprint)
    {
        foreach (var file in System.IO.Directory.GetFiles(Requests(host)).Concat(System.IO.Directory.GetFiles(Mine(host), "*.pem")))
        {
            var named = Path.GetFileNameWithoutExtension(file).Equals(thumbprint, StringComparison.OrdinalIgnoreCase);
            if (!named && file.EndsWith(".pem"))
            {
                using var one = X509Certificate2.CreateFromPem(File.ReadAllText(file));
                named = one.Thumbprint.Equals(thumbprint, StringComparison.OrdinalIgnoreCase);
            }
            if (named)
                File.Delete(file);
        }
    }
}
