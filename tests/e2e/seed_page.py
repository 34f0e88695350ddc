"""The code blocks of the page that this product must live up to, and all that is changed in them before they run.

Each change is in one of four tables: where the gateway is, which key opens it, where pictures and documents lie, and
what is wrong on the page itself. A block that leaves out what the block before it defined gets that back as context.
"""

from __future__ import annotations

import base64
import re
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.e2e.gateway import ROOT

PAGE = ROOT.parent / "shared" / "spec" / "seed-page.md"
"""Beside the project, not part of it."""

FENCE = re.compile(
    r"^(?P<indent> *)```(?P<language>\w+) (?P<title>.*?)(?: icon=\S+)? theme=\S+\n(?P<text>.*?)^ *```$", re.M | re.S
)
ANY_FENCE = re.compile(r"^ *```\S", re.M)
HEADING = re.compile(r"^#+ (.+)$", re.M)
KEY = re.compile(r"\$?(?:YOUR_)?PORTKEY_API_KEY\b")

JPEG = base64.b64decode(
    "/9j/4AAQSkZJRgABAQAAAQABAAD/2wBDAFA3PEY8MlBGQUZaVVBfeMiCeG5uePWvuZHI////////////////////////////////////////"
    "////////////wAALCAAIAAgBAREA/8QAFAABAAAAAAAAAAAAAAAAAAAAAP/EABQQAQAAAAAAAAAAAAAAAAAAAAD/2gAIAQEAAD8AP//Z"
)
PDF = b"""%PDF-1.4
1 0 obj<</Type/Catalog/Pages 2 0 R>>endobj
2 0 obj<</Type/Pages/Kids[3 0 R]/Count 1>>endobj
3 0 obj<</Type/Page/Parent 2 0 R/MediaBox[0 0 200 80]>>endobj
trailer<</Root 1 0 R>>
%%EOF
"""

MEDIA = {
    "https://upload.wikimedia.org/wikipedia/commons/a/a7/Camponotus_flavomarginatus_ant.jpg": "/ant.jpg",
    "https://assets.anthropic.com/m/1cd9d098ac3e6467/original/Claude-3-Model-Card-October-Addendum.pdf": "/card.pdf",
}
"""Remote media, and the path of our own."""
MEDIA_BODIES = {"/ant.jpg": JPEG, "/card.pdf": PDF}

ADDRESSES = [
    ("python", "from portkey_ai import PORTKEY_GATEWAY_URL\n", 'PORTKEY_GATEWAY_URL = "{url}/v1"\n'),
    ("js", 'import {{ PORTKEY_GATEWAY_URL }} from "portkey-ai"\n', 'const PORTKEY_GATEWAY_URL = "{url}/v1"\n'),
    ("", "https://api.portkey.ai", "{url}"),
]
"""Language (empty: all), the hosted product's address, and ours. What the Portkey SDKs take by default comes from the
environment instead, see ``environment``."""

DEFECTS = [
    # No such model was ever there; Haiku 4.5 has the date 20251001.
    ("", "claude-haiku-4-5-20250929", "claude-haiku-4-5-20251001"),
    # The apostrophe ends the shell's quotation that holds the JSON.
    ("sh", "Portkey's AI Gateway", r"Portkey'\''s AI Gateway"),
    # Without -X this names a first address to fetch, the host "POST"; with --data curl posts anyway.
    ("sh", "curl POST '", "curl '"),
]
"""Language (empty: all), what does not work on the page as it stands, and what was meant."""

LANGUAGES = {"python": "python", "js": "js", "typescript": "js", "sh": "sh"}

PREAMBLES = {
    "python": 'from portkey_ai import Portkey\n\nportkey = Portkey(api_key="PORTKEY_API_KEY")\n',
    "js": "import Portkey from 'portkey-ai'\n\nconst portkey = new Portkey({ apiKey: \"PORTKEY_API_KEY\" })\n",
}
"""For blocks that use ``portkey`` without making it, as they follow one that does."""

SHOW = {
    "python": "print(response.choices[0].message.content)\n",
    "js": "console.log(response.choices[0].message.content)\n",
}
CALL = {
    "python": """response = client.chat.completions.create(
    model="claude-sonnet-4-5-20250929", max_tokens=250, messages=[{"role": "user", "content": "Beta?"}]
)
print(response.choices[0].message.content)
""",
    "js": """const response = await portkey.chat.completions.create({
    model: "claude-sonnet-4-5-20250929", max_tokens: 250, messages: [{ role: "user", content: "Beta?" }]
})
console.log(response.choices[0].message.content)
""",
}
EPILOGUES = {
    "System Prompts": SHOW,
    # JavaScript's console shows only the outer levels.
    "Extended Thinking (Reasoning Models)": {"js": "console.log(JSON.stringify(response))\n"},
    "Beta Features": CALL,
}
"""By section: what is added so that a block which shows too little, or makes no call, shows an answer."""

BETA_CALL = """curl https://api.portkey.ai/v1/chat/completions --header 'x-portkey-api-key: PORTKEY_API_KEY' \\
  --header 'Content-Type: application/json' --header '{header}' \\
  --data '{{"model": "@anthropic/claude-sonnet-4-5-20250929", "max_tokens": 250,
    "messages": [{{"role": "user", "content": "Beta?"}}]}}'
"""
"""The page shows one header, as no shell would take it; this is the call around it."""


@dataclass(frozen=True, kw_only=True)
class Block:
    """One code block of the page, as it stands there."""

    line: int
    section: str
    title: str
    language: str
    """python, js or sh."""
    text: str

    @property
    def id(self) -> str:
        return f"{self.line}-{self.section}-{self.title}".replace(" ", "-").lower()

    def program(self, *, url: str, media: str, key: str) -> str:
        """Return what runs: the block with its context, the replacements of this module, and nothing else."""
        text = self.in_context()
        for language, old, new in ADDRESSES:
            if language in ("", self.language):
                text = text.replace(old.format(), new.format(url=url))
        for language, old, new in DEFECTS:
            if language in ("", self.language):
                text = text.replace(old, new)
        for address, path in MEDIA.items():
            text = text.replace(address, media + path)
        return KEY.sub(key, text)

    def in_context(self) -> str:
        """Return the block with what it takes for granted."""
        if self.language == "sh":
            is_header = self.text.startswith("x-portkey-")
            return BETA_CALL.format(header=self.text.strip().replace('"', "")) if is_header else self.text
        makes_it = re.search(r"\b(portkey|client|anthropic) = ", self.text)
        before = "" if makes_it else PREAMBLES[self.language]
        return before + self.text + EPILOGUES.get(self.section, {}).get(self.language, "")


def read_blocks(page: str) -> Iterator[Block]:
    """Yield every fenced block of the page that is code."""
    for found in FENCE.finditer(page):
        sections = HEADING.findall(FENCE.sub("", page[: found.start()]))
        yield Block(
            line=page.count("\n", 0, found.start()) + 1,
            section=sections[-1],
            title=found["title"],
            language=LANGUAGES[found["language"]],
            text=textwrap.dedent(found["text"]),
        )


def environment(url: str) -> dict[str, str]:
    """Return the Portkey SDKs' own settings of the gateway's address: one for JavaScript, one for Python."""
    return {"PORTKEY_BASE_URL": f"{url}/v1", "PORTKEY_PROXY": f"{url}/v1"}


def modules(folder: Path, *, sdks: Path, axios: Path) -> Path:
    """Return a folder below which JavaScript blocks find their modules.

    ``import Portkey from 'portkey-ai'`` yields the class in a bundler and under TypeScript, but the whole CommonJS module
    in a native ES module. So the blocks find a module of that name which does what a bundler does, and nothing more.
    """
    blocks = folder / "blocks"
    shim = blocks / "node_modules" / "portkey-ai"
    shim.mkdir(parents=True)
    (folder / "node_modules").symlink_to(sdks)
    (blocks / "node_modules" / "axios").symlink_to(axios / "axios")
    (shim / "package.json").write_text('{"name": "portkey-ai", "type": "module", "exports": "./index.js"}')
    (shim / "index.js").write_text(
        'import { createRequire } from "node:module";\n'
        'export default createRequire(new URL("../../../", import.meta.url))("portkey-ai").default;\n'
    )
    return blocks
