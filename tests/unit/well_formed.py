"""well_formed.py FILE TEXT... - the page is well-formed XML and HTML, has nothing that runs or loads, and has each text
as a text of its own. What is wrong goes to standard error."""

import sys
from html.parser import HTMLParser
from xml.etree import ElementTree

EMPTY = {"meta", "br"}
ALLOWED = {"html", "head", "meta", "title", "style", "body", "h1", "h2", "h3", "table", "thead", "tbody", "tr", "th", "td",
           "p", "ul", "li", "code", "span", "del", "ins", "br", "section", "details", "summary"}
ATTRIBUTES = {"class", "lang", "xmlns", "charset", "http-equiv", "content"}


class Page(HTMLParser):
    """What a browser's parser sees: every element closed in order, and only elements that show something."""

    def __init__(self):
        super().__init__(convert_charrefs=True)
        self.open, self.faults, self.text = [], [], []

    def handle_starttag(self, tag, attrs):
        if tag not in ALLOWED or any(name not in ATTRIBUTES for name, _ in attrs):
            self.faults.append(f"line {self.getpos()[0]}: <{tag} {attrs}>")
        if tag not in EMPTY:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        if tag not in EMPTY:
            self.faults.append(f"line {self.getpos()[0]}: <{tag}/>")

    def handle_endtag(self, tag):
        if not self.open or self.open.pop() != tag:
            self.faults.append(f"line {self.getpos()[0]}: </{tag}> closes nothing")

    def handle_data(self, data):
        self.text.append(data)


def main(path, texts):
    with open(path, encoding="utf-8") as file:
        source = file.read()
    page = Page()
    page.feed(source)
    page.close()
    faults = page.faults + [f"<{tag}> is never closed" for tag in page.open]
    shown = {text.strip() for text in ElementTree.fromstring(source).itertext()}
    both = "\n".join(page.text)
    for text in texts:
        if text not in both:
            faults.append(f"HTML: no text {text!r}")
        if not any(text in one for one in shown):
            faults.append(f"XML: no text {text!r}")
    sys.stderr.writelines(f"{fault}\n" for fault in faults)
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], sys.argv[2:]))
