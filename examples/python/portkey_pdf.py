"""PDFs through Lockgate with the portkey-ai SDK: three ways to write the same document.

pip install portkey-ai
LOCKGATE_API_KEY=... python portkey_pdf.py
"""

import base64
import os
import sys

from portkey_ai import Portkey

# "@slug/model": the slug names a provider that Lockgate knows, the rest is that provider's own model id.
MODEL = os.environ.get("LOCKGATE_MODEL", "@anthropic/claude-sonnet-5-5")
# One page that says "Lockgate keeps the count."
PDF = b"""%PDF-1.4
1 0 obj<</Type/Catalog/Pages 2 0 R>>endobj
2 0 obj<</Type/Pages/Kids[3 0 R]/Count 1>>endobj
3 0 obj<</Type/Page/Parent 2 0 R/MediaBox[0 0 300 80]/Contents 4 0 R/Resources<</Font<</F 5 0 R>>>>>>endobj
4 0 obj<</Length 54>>stream
BT /F 18 Tf 20 35 Td (Lockgate keeps the count.) Tj ET
endstream endobj
5 0 obj<</Type/Font/Subtype/Type1/BaseFont/Helvetica>>endobj
trailer<</Root 1 0 R>>
%%EOF
"""
DATA = base64.b64encode(PDF).decode()


def connect() -> Portkey:
    """Only the base URL and the key differ from a program that talks to the vendor directly."""
    if not os.environ.get("LOCKGATE_API_KEY"):
        sys.exit("Set LOCKGATE_API_KEY to a key of your gateway.")
    origin = os.environ.get("LOCKGATE_BASE_URL", "http://127.0.0.1:8787")
    return Portkey(base_url=f"{origin}/v1", api_key=os.environ["LOCKGATE_API_KEY"])


def ask(client: Portkey, document: dict[str, object]) -> str:
    reply = client.chat.completions.create(
        model=MODEL,
        max_tokens=1024,
        messages=[
            {"role": "system", "content": "You are a helpful document analysis assistant."},
            {"role": "user", "content": [{"type": "text", "text": "What does this document say?"}, document]},
        ],
    )
    return reply.choices[0].message.content or sys.exit("The answer is empty.")


def as_file(client: Portkey) -> None:
    file = {"mime_type": "application/pdf", "file_data": DATA}
    print(f"Base64: {ask(client, {'type': 'file', 'file': file})}")


def as_data_url(client: Portkey) -> None:
    file = {"filename": "count.pdf", "file_data": f"data:application/pdf;base64,{DATA}"}
    print(f"Data URL: {ask(client, {'type': 'file', 'file': file})}")


def as_image_url(client: Portkey) -> None:
    image_url = {"url": f"data:application/pdf;base64,{DATA}"}
    print(f"Image URL: {ask(client, {'type': 'image_url', 'image_url': image_url})}")


def main() -> None:
    client = connect()
    try:
        as_file(client)
        as_data_url(client)
        as_image_url(client)
    except Exception as error:  # noqa: BLE001 - this SDK exports no base class for its errors
        sys.exit(f"{type(error).__name__}: {error}")


if __name__ == "__main__":
    main()
