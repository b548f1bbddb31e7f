"""The registry of a recorded server, as regedit exports it: UTF-16LE with a byte order mark, CRLF."""

from . import exchange

LYNC_2010_MARKER = "{8D6164AA-D7B8-44A2-8125-E6C0DC7D4E9E}"
_MACHINE = "HKEY_LOCAL_MACHINE\\SOFTWARE\\Microsoft"
_ROLE_KEYS = {"cafe": "CafeRole", "client-access": "ClientAccessRole", "frontend-transport": "FrontendTransportRole",
              "hub-transport": "HubTransportRole", "mailbox": "MailboxRole",
              "unified-messaging": "UnifiedMessagingRole"}
# By major version: the key of the setup, the key above the roles, the folder.
_PRODUCTS = {
    "8": ("Exchange\\Setup", "Exchange\\v8.0", ""),
    "14": ("ExchangeServer\\v14\\Setup", "ExchangeServer\\v14", "V14\\"),
    "15": ("ExchangeServer\\v15\\Setup", "ExchangeServer\\v15", "V15\\"),
}


def export(product, server):
    """The bytes of registry.reg."""
    keys = {f"{_MACHINE}\\Windows NT\\CurrentVersion": {"ProductName": server["os"]}}
    keys |= _exchange(server) if product == "exchange" else _lync(server)
    lines = ["Windows Registry Editor Version 5.00", ""]
    for key, values in keys.items():
        lines.append(f"[{key}]")
        lines += [f'"{name}"={_written(value)}' for name, value in values.items()]
        lines.append("")
    return b"\xff\xfe" + "\r\n".join(lines + [""]).encode("utf-16-le")


def _exchange(server):
    major, minor, build, *revision = server["version"].split(".")
    setup, roles, folder = _PRODUCTS[major]
    full = ".".join([major, minor, build, (revision or ["0"])[0]])
    keys = {f"{_MACHINE}\\{setup}": {
        "MsiProductMajor": int(major), "MsiProductMinor": int(minor), "MsiBuildMajor": int(build),
        "MsiBuildMinor": int((revision or ["0"])[0]),
        "MsiInstallPath": f"C:\\Program Files\\Microsoft\\Exchange Server\\{folder}"}}
    for role in server["roles"]:
        key = f"{_MACHINE}\\{roles}\\{_ROLE_KEYS[role]}"
        keys[key] = {"UnpackedVersion": full, "ConfiguredVersion": full}
        if role in server.get("unfinished", ()):
            keys[key] = {"UnpackedVersion": full, "Action": "Install", "Watermark": "Setup"}
    if exchange.ROLES["unified-messaging"] & exchange.role_bits(server["roles"]):
        keys[f"{_MACHINE}\\{roles}\\UnifiedMessagingRole\\LanguagePacks"] = {"en-US": full, "de-DE": full}
    return keys


def _lync(server):
    """Only Lync 2010 is known by a key of its own; later versions are known by their services."""
    root = f"{_MACHINE}\\Real-Time Communications"
    if server["version"].startswith("4."):
        folder = "C:\\Program Files\\Microsoft Lync Server 2010\\"
        return {root: {}, f"{root}\\{LYNC_2010_MARKER}": {"InstallDir": folder}}
    return {root: {}}


def _written(value):
    if isinstance(value, int):
        return f"dword:{value:08x}"
    text = value.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{text}"'
