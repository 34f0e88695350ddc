"""Where a client may send us: a corpus of addresses, names and URLs, each with the answer it must get."""

from __future__ import annotations

import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lockgate.errors import InvalidRequest
from lockgate.transport.address_guard import check_address, check_host, check_url, is_trusted, read_address, trusted_set

NOBODY: frozenset[str] = frozenset()

NEVER_V4 = """
169.254.169.0 169.254.169.1 169.254.169.123 169.254.169.249 169.254.169.253 169.254.169.254 169.254.169.255
169.254.170.2 169.254.170.23 100.100.100.200 168.63.129.16 192.0.0.192
""".split()

PRIVATE_V4 = """
0.0.0.0 0.0.0.1 0.255.255.255
10.0.0.0 10.0.0.1 10.96.0.1 10.255.255.255
100.64.0.0 100.64.0.1 100.100.100.100 100.127.255.255
127.0.0.0 127.0.0.1 127.0.1.1 127.1.1.1 127.255.255.254 127.255.255.255
169.254.0.0 169.254.0.1 169.254.168.255 169.254.170.0 169.254.170.1 169.254.255.255
172.16.0.0 172.16.0.1 172.17.0.1 172.31.255.255
192.0.0.0 192.0.0.8 192.0.0.170 192.0.0.255 192.0.2.0 192.0.2.1 192.0.2.255
192.88.99.0 192.88.99.1 192.88.99.255 192.168.0.0 192.168.1.1 192.168.255.255
198.18.0.0 198.18.0.1 198.19.255.255 198.51.100.0 198.51.100.7 198.51.100.255
203.0.113.0 203.0.113.9 203.0.113.255 224.0.0.0 224.0.0.1 224.0.0.251 239.255.255.250 239.255.255.255
240.0.0.0 240.0.0.1 250.1.2.3 255.255.255.254 255.255.255.255
""".split()

PUBLIC_V4 = """
1.0.0.0 1.1.1.1 8.8.8.8 9.255.255.255 11.0.0.0 93.184.215.14 100.63.255.255 100.128.0.0 126.255.255.255
128.0.0.0 160.79.104.10 168.63.129.15 168.63.129.17 169.253.255.255 169.255.0.0 172.15.255.255 172.32.0.0
191.255.255.255 192.0.1.0 192.0.3.0 192.88.98.255 192.88.100.0 192.167.255.255 192.169.0.0 198.17.255.255
198.20.0.0 198.51.99.255 198.51.101.0 203.0.112.255 203.0.114.0 223.255.255.255
""".split()

NEVER_V6 = """
fd00:ec2:: fd00:ec2::254 fd00:ec2::23 fd00:ec2::ffff:ffff
::ffff:169.254.169.254 ::ffff:a9fe:a9fe ::169.254.169.254 ::ffff:0:169.254.169.254 ::ffff:100.100.100.200
64:ff9b::169.254.169.254 64:ff9b::a9fe:aa02 64:ff9b:1::169.254.169.254 2002:a9fe:a9fe::1 2002:a9fe:a9fe:1::
2002:a83f:8110:: 2001:0:a9fe:a9fe::1 2001:0:808:808:0:0:5601:5601 2001:db8::5efe:a9fe:a9fe
2606:4700::200:5efe:a9fe:a9fe ::ffff:192.0.0.192
""".split()

PRIVATE_V6 = """
:: ::1 ::2 ::7f00:1 ::127.0.0.1 ::10.0.0.1 ::ffff:127.0.0.1 ::ffff:10.0.0.1 ::ffff:192.168.1.1 ::ffff:0.0.0.0
::ffff:7f00:1 ::ffff:100.64.0.1 ::ffff:0:10.0.0.1 ::ffff:224.0.0.1 ::ffff:255.255.255.255
64:ff9b::127.0.0.1 64:ff9b::10.1.2.3 64:ff9b::c0a8:101 64:ff9b:1::1 64:ff9b:1::8.8.8.8 64:ff9b:1:ffff::1
100:: 100::1 100::ffff:ffff:ffff:ffff 100:0:0:1:: 100:0:0:1::1
2001:: 2001:0:4136:e378:8000:63bf:3fff:fdd2 2001:0:ffff:ffff:ffff:ffff:ffff:ffff
2001:db8:: 2001:db8::1 2001:db8:ffff:: 3fff::1 3fff:fff:: 5f00::1
2002:7f00:1:: 2002:7f00:1::1 2002:a00:1:: 2002:c0a8:101::5 2002:6440:1::1 2002:e000:1::
fc00:: fc00::1 fd00::1 fd12:3456:789a::1 fdff:ffff::1 fdff:ffff:ffff:ffff:ffff:ffff:ffff:ffff
fe80:: fe80::1 fe80::a00:27ff:fe4e:66a1 febf:ffff::1 fec0:: fec0::1 feff::1
ff00:: ff01::1 ff02::1 ff02::fb ff05::2 ff0e::1 ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff
2606:4700::5efe:10.0.0.1 2606:4700::200:5efe:192.168.0.1
""".split()

PUBLIC_V6 = """
2001:4860:4860::8888 2606:4700:4700::1111 2a00:1450:4001:830::200e 2607:6bc0::10 2620:fe::fe 2400:cb00::1
2001:1::1 2001:200::1 2003::1 2002:808:808::1 2002:101:101::1 64:ff9b::8.8.8.8 64:ff9b::808:808 ::ffff:8.8.8.8
::ffff:1.1.1.1 ::8.8.8.8 ::ffff:0:8.8.8.8 2606:4700::5efe:8.8.8.8 101::1 3ffe::1 4000::1
""".split()


def test_the_corpus_is_large_and_holds_no_doubles():
    corpus = [*NEVER_V4, *PRIVATE_V4, *PUBLIC_V4, *NEVER_V6, *PRIVATE_V6, *PUBLIC_V6]
    assert len(corpus) >= 200
    assert len(set(corpus)) == len(corpus)


@pytest.mark.parametrize("address", [*NEVER_V4, *NEVER_V6])
def test_metadata_addresses_are_refused_even_to_trusted_hosts(address):
    for trusts in (False, True):
        with pytest.raises(InvalidRequest, match="custom host refused"):
            check_address(address, is_trusted=trusts)


@pytest.mark.parametrize("address", [*PRIVATE_V4, *PRIVATE_V6])
def test_private_addresses_are_for_trusted_hosts_only(address):
    with pytest.raises(InvalidRequest):
        check_address(address, is_trusted=False)
    check_address(address, is_trusted=True)


@pytest.mark.parametrize("address", [*PUBLIC_V4, *PUBLIC_V6])
def test_public_addresses_are_allowed(address):
    check_address(address, is_trusted=False)


@pytest.mark.parametrize("address", ["", "nonsense", "1.2.3", "1.2.3.4.5", "010.0.0.1", "1.2.3.4/8", "::g", "::1%lo "])
def test_what_is_no_address_is_refused(address):
    with pytest.raises(InvalidRequest):
        check_address(address, is_trusted=False)


@given(st.ip_addresses(v=4))
def test_an_embedded_address_is_judged_like_the_plain_one(address):
    forms = [f"::ffff:{address}", f"::ffff:0:{address}", f"64:ff9b::{address}", f"2002:{int(address) >> 16:x}:"
             f"{int(address) & 0xFFFF:x}::1"]  # fmt: skip
    for form in forms:
        for trusts in (False, True):
            assert refuses(form, is_trusted=trusts) == refuses(str(address), is_trusted=trusts), form


@given(st.ip_addresses())
def test_what_python_calls_private_is_never_public_for_us(address):
    if address.is_loopback or address.is_link_local or address.is_multicast or address.is_unspecified:
        assert refuses(str(address), is_trusted=False)
    if (
        address.is_private
        and isinstance(address, ipaddress.IPv4Address)
        and int(address) not in (0xC0000009, 0xC000000A)
    ):
        assert refuses(str(address), is_trusted=False)


def refuses(address: str, *, is_trusted: bool) -> bool:
    """Tell whether the guard refuses an address."""
    try:
        check_address(address, is_trusted=is_trusted)
    except InvalidRequest:
        return True
    return False


NEVER_HOSTS = """
metadata instance-data kubernetes
metadata.google.internal x.metadata.google.internal metadata.gce.internal metadata.goog a.metadata.goog
metadata.azure.com internal.cloudapp.net vm.internal.cloudapp.net metadata.internal metadata.do.internal
metadata.packet.net instance-data.ec2.internal ip-10-0-0-1.ec2.internal ec2.internal compute.internal
ip-10-0-0-1.eu-west-1.compute.internal metadata.cloud.ibm.com
kubernetes.default kubernetes.default.svc kubernetes.default.svc.cluster.local api.default.svc.cluster.local
consul web.service.consul
127.0.0.1.nip.io 10-0-0-1.nip.io nip.io app.sslip.io x.xip.io localtest.me www.localtest.me lvh.me a.b.lvh.me vcap.me
x.vcap.me foo.traefik.me abc.localhost.run
169.254.169.254 100.100.100.200 [fd00:ec2::254] [::ffff:169.254.169.254] [64:ff9b::a9fe:a9fe] [2002:a9fe:a9fe::1]
""".split()

PRIVATE_HOSTS = """
localhost foo.localhost a.b.localhost printer.local db.localdomain host.docker.internal gitlab.internal wiki.intranet
nas.lan tv.home ldap.corp x.test y.invalid abcdef.onion local internal
127.0.0.1 127.1.2.3 10.0.0.1 0.0.0.0 192.168.0.1 172.20.1.1 100.64.0.1 169.254.1.1 224.0.0.1 255.255.255.255
[::1] [::] [fd00::1] [fe80::1] [::ffff:127.0.0.1] [::127.0.0.1] [2002:7f00:1::] [64:ff9b::7f00:1] [ff02::1]
""".split()

BAD_URLS = """
2130706433 017700000001 0x7f000001 0x7f.0.0.1 0x7f.1 0177.0.0.1 127.1 127.0.1 127.0.0.1.0 1.2.3.4.5 127.0.0.01
00.00.00.00 0 1 0x 0xA9FEA9FE 2852039166 025177524776 0xa9.0xfe.0xa9.0xfe 169.254.43518 127.0.0.0x1 1.1 256.1.1.1
999.999.999.999 example.0x10 example.123
127.0.0.%31 %31%32%37.0.0.1 exa%6dple.com %6c%6f%63%61%6c%68%6f%73%74
xn--bcher-kva.example www.xn--80ak6aa92e.com xn--n3h example.xn--p1ai
bücher.example １２７.0.0.1 ①②⑦.0.0.1 localhost。example ⓛocalhost example．com
user@example.com user:pass@example.com @example.com example.com@127.0.0.1 a@b@c
-example.com example-.com exa..mple.com .example.com example.com.. ex_.-.com exa$mple.com exa,mple.com exa!mple.com
example.com: example.com:0 example.com:65536 example.com:99999 example.com:-1 example.com:+80 example.com:8o
example.com:80:80 [::1 ::1] ::1 [::1]x [::1]: [::g] [fe80::1%25eth0] [fe80::1%eth0] [1.2.3.4] [] [::ffff:127.0.0.01]
example.com:22 example.com:25 example.com:53 example.com:445 example.com:3306 example.com:5432 example.com:6379
example.com:6443 example.com:9200 example.com:27017 example.com:11211 example.com:2375 example.com:10250 8.8.8.8:3389
""".split()

GOOD_HOSTS = """
api.anthropic.com example.com EXAMPLE.com example.com. a.b.c.d.example my-host.example my_host.example 1password.com
8x8.example 0xproject.com x-n--a.example.com metadata.example.com kubernetes.example notnip.io nip.io.example.com
consulting.example localhost.example internal.example myec2.internal.example example.com:443 example.com:8443
example.com:11434 8.8.8.8 8.8.8.8:8000 [2606:4700:4700::1111] [2606:4700:4700::1111]:8443 single
""".split()  # fmt: skip


@pytest.mark.parametrize("host", NEVER_HOSTS)
def test_hosts_that_are_never_allowed(host):
    everyone = frozenset({host, host.strip("[]"), "*." + host, "*.internal", "*.io", "*.local", "*.me"})
    for trusted in (NOBODY, everyone):
        with pytest.raises(InvalidRequest, match="custom host refused"):
            check_url(f"https://{host}/v1", trusted)


@pytest.mark.parametrize("host", PRIVATE_HOSTS)
def test_private_hosts_are_allowed_when_they_are_trusted(host):
    with pytest.raises(InvalidRequest):
        check_url(f"http://{host}:8000/v1", NOBODY)
    origin = check_url(f"http://{host}:8000/v1", trusted_set({host}))
    assert origin.guarded
    assert origin.port == 8000


@pytest.mark.parametrize("scheme", ["http", "https"])
@pytest.mark.parametrize("authority", BAD_URLS)
def test_hosts_in_disguise_and_bad_ports_are_refused_even_when_trusted(authority, scheme):
    for trusted in (NOBODY, frozenset({authority, authority.rpartition("@")[2], "*.example", "example.com"})):
        with pytest.raises(InvalidRequest):
            check_url(f"{scheme}://{authority}/v1", trusted)


@pytest.mark.parametrize("host", GOOD_HOSTS)
def test_public_hosts_are_allowed(host):
    origin = check_url(f"https://{host}/v1?x=@#[", NOBODY)
    assert (origin.scheme, origin.guarded) == ("https", True)
    assert origin.host == origin.host.lower().strip("[].")


@pytest.mark.parametrize(
    "url",
    [
        "",
        "example.com",
        "//example.com",
        "https:example.com",
        "https:/example.com",
        "https://",
        "https:///v1",
        "https://?x",
        "ftp://example.com",
        "file:///etc/passwd",
        "gopher://example.com",
        "unix:///var/run/docker.sock",
        "javascript://example.com",
        "data:text/plain,x",
        " https://example.com",
        "https://example.com/ v1",
        "https://example.com\n",
        "https://example.com\t.evil.example",
        "https://example.com\\@127.0.0.1",
        "https:\\\\example.com",
        "https://example.com\0",
        "https://example.com/" + "a" * 2048,
        "https://" + "a" * 64 + ".example",
        "https://" + "a." * 127 + "example",
    ],
)
def test_what_is_not_a_plain_url_is_refused(url):
    with pytest.raises(InvalidRequest) as caught:
        check_url(url, frozenset({"127.0.0.1", "localhost"}))
    assert caught.value.path == "x-portkey-custom-host"


def test_the_longest_url_is_allowed():
    url = "https://example.com/".ljust(2048, "a")
    assert check_url(url, NOBODY).host == "example.com"


@pytest.mark.parametrize(
    "url,scheme,host,port",
    [
        ("http://example.com", "http", "example.com", 80),
        ("HTTPS://Example.COM:444/v1", "https", "example.com", 444),
        ("https://example.com./v1/", "https", "example.com", 443),
        ("https://[2606:4700:4700:0:0:0:0:1111]:8443", "https", "2606:4700:4700::1111", 8443),
        ("https://8.8.8.8", "https", "8.8.8.8", 443),
    ],
)
def test_an_origin_is_in_normal_form(url, scheme, host, port):
    origin = check_url(url, NOBODY)
    assert (origin.scheme, origin.host, origin.port, origin.guarded) == (scheme, host, port, True)


def test_another_input_can_be_named_as_the_place():
    with pytest.raises(InvalidRequest) as caught:
        check_url("http://127.0.0.1", NOBODY, path="x-portkey-azure-foundry-url")
    assert caught.value.path == "x-portkey-azure-foundry-url"


@pytest.mark.parametrize(
    "host,entries,expected",
    [
        ("a.example", {"a.example"}, True),
        ("a.example", {"A.Example."}, True),
        ("b.a.example", {"a.example"}, False),
        ("b.a.example", {"*.a.example"}, True),
        ("c.b.a.example", {"*.a.example"}, True),
        ("a.example", {"*.a.example"}, True),
        ("xa.example", {"*.a.example"}, False),
        ("localhost", {"localhost"}, True),
        ("x.y.localhost", {"localhost"}, True),
        ("localhost", {"*.localhost"}, True),
        ("127.0.0.1", {" 127.0.0.1 "}, True),
        ("127.0.0.2", {"127.0.0.1"}, False),
        ("::1", {"[0:0:0:0:0:0:0:1]"}, True),
        ("10.0.0.1", {"*.0.0.1"}, False),
        ("anything.example", {"*"}, False),
        ("anything.example", {""}, False),
        ("host.docker.internal", {"host.docker.internal"}, True),
    ],
)
def test_trust_is_by_host_address_or_domain(host, entries, expected):
    assert is_trusted(host, trusted_set(entries)) is expected


@pytest.mark.parametrize(
    "entry",
    [
        "169.254.169.254",
        "[::ffff:169.254.169.254]",
        "fd00:ec2::254",
        "100.100.100.200",
        "metadata",
        "metadata.google.internal",
        "x.nip.io",
        "*.nip.io",
        "*.io",
        "*.internal",
        "*.google.internal",
        "*.com",
        "*.x.cluster.local",
        "*",
        "",
        "  ",
    ],
)
def test_trusted_entries_that_overlap_what_is_never_allowed_are_dropped(entry):
    assert trusted_set({entry, "kept.example"}) == {"kept.example"}


def test_a_name_is_not_trusted_for_resolving_to_a_trusted_address():
    assert not is_trusted("evil.example", trusted_set({"127.0.0.1"}))


@given(st.text(max_size=40))
def test_any_text_is_refused_or_gives_a_host_that_passes_again(text):
    for url in (text, f"https://{text}"):
        try:
            origin = check_url(url, NOBODY)
        except InvalidRequest:
            continue
        check_host(origin.host, origin.port, NOBODY)
        assert origin.host.isascii()


@given(st.text(alphabet="0123456789abcdefx.:%[]@/\\-", max_size=24))
def test_no_spelling_of_an_address_gets_past_as_a_name(text):
    try:
        origin = check_url(f"http://{text}", NOBODY)
    except InvalidRequest:
        return
    if read_address(origin.host) is None:
        last = origin.host.rpartition(".")[2]
        assert not last.isdecimal()
        assert not last.startswith("0x") or not all(c in "0123456789abcdef" for c in last[2:])


@pytest.mark.parametrize(
    "host, reason",
    [
        ("nosuch.invalid", "names that end in .invalid do not resolve"),
        (
            "printer.local",
            "names that end in .local belong to private networks; server.trusted_custom_hosts can allow it",
        ),
    ],
)
def test_a_refusal_says_what_is_wrong_with_a_name(host, reason):
    with pytest.raises(InvalidRequest) as caught:
        check_url(f"https://{host}", frozenset())
    assert caught.value.message == f"custom host refused: {reason}"
    assert check_url(f"https://{host}", frozenset({host})).host == host
