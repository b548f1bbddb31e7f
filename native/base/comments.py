#!/usr/bin/python3
"""comments.py SCHEMA.bin OUT.c: carries the comments of the schema into the build.

The comment above a message or a field is its documentation everywhere (`umx tables`, docs/), so it is taken from
protoc's own source information and not from a second parse of the .proto files.
"""
import sys

from google.protobuf import descriptor_pb2


def literal(text):
    """A C string literal; anything but plain ASCII as octal escapes."""
    out = []
    for byte in text.encode():
        if byte in b'"\\' or not 0x20 <= byte < 0x7F:
            out.append(f"\\{byte:03o}")
        else:
            out.append(chr(byte))
    return '"' + "".join(out) + '"'


def comments(file):
    """Pairs of name and comment: `Message` or `Message.field`."""
    by_path = {tuple(loc.path): " ".join(loc.leading_comments.split()) for loc in file.source_code_info.location}
    for m, message in enumerate(file.message_type):
        yield message.name, by_path.get((4, m), "")
        for f, field in enumerate(message.field):
            yield f"{message.name}.{field.name}", by_path.get((4, m, 2, f), "")


def main():
    schema = descriptor_pb2.FileDescriptorSet()
    with open(sys.argv[1], "rb") as source:
        schema.ParseFromString(source.read())
    rows = sorted(pair for file in schema.file for pair in comments(file) if pair[1])
    with open(sys.argv[2], "w", encoding="ascii") as out:
        out.write("#include <stddef.h>\n\n")
        out.write("struct umx_comment {\n    const char *name;\n    const char *text;\n};\n\n")
        out.write("extern const struct umx_comment umx_comments[];\nextern const size_t umx_comment_count;\n\n")
        out.write("const struct umx_comment umx_comments[] = {\n")
        for name, text in rows:
            out.write(f"    {{{literal(name)}, {literal(text)}}},\n")
        out.write("};\n")
        out.write("const size_t umx_comment_count = sizeof umx_comments / sizeof umx_comments[0];\n")


main()
