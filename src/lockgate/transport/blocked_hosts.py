"""Which hosts, ports and addresses a client may not send us to. Tables only; ``address_guard`` applies them.

Two classes: "never" holds even for hosts that the operator trusts, because a cloud hands out credentials there;
"untrusted" is private or reserved space, which the operator may open host by host.
"""

from __future__ import annotations

from ipaddress import IPv4Network, IPv6Network

NEVER_IPV4 = tuple(
    IPv4Network(text)
    for text in (
        "169.254.169.0/24",
        "169.254.170.2/32",
        "169.254.170.23/32",
        "100.100.100.200/32",
        "168.63.129.16/32",
        "192.0.0.192/32",
    )
)
"""Metadata services of the clouds."""

NEVER_IPV6 = (IPv6Network("fd00:ec2::/96"),)
"""Metadata services of the clouds."""

UNTRUSTED_IPV4 = tuple(
    IPv4Network(text)
    for text in (
        "0.0.0.0/8",
        "10.0.0.0/8",
        "100.64.0.0/10",
        "127.0.0.0/8",
        "169.254.0.0/16",
        "172.16.0.0/12",
        "192.0.0.0/24",
        "192.0.2.0/24",
        "192.88.99.0/24",
        "192.168.0.0/16",
        "198.18.0.0/15",
        "198.51.100.0/24",
        "203.0.113.0/24",
        "224.0.0.0/4",
        "240.0.0.0/4",
    )
)
"""Private, shared, documentation, benchmark, multicast and reserved space."""

UNTRUSTED_IPV6 = tuple(
    IPv6Network(text)
    for text in (
        "::/128",
        "::1/128",
        "64:ff9b:1::/48",
        "100::/64",
        "100:0:0:1::/64",
        "2001::/32",
        "2001:db8::/32",
        "3fff::/20",
        "5f00::/16",
        "fc00::/7",
        "fe80::/10",
        "fec0::/10",
        "ff00::/8",
    )
)
"""Loopback, local, multicast, documentation, discard, Teredo and private translation prefixes."""

NEVER_NAMES = frozenset({"metadata", "instance-data", "kubernetes"})
"""Bare names that resolve inside a cloud or a cluster."""

NEVER_SUFFIXES = frozenset(
    {
        # metadata services
        "metadata.google.internal",
        "metadata.gce.internal",
        "metadata.goog",
        "metadata.azure.com",
        "internal.cloudapp.net",
        "metadata.internal",
        "metadata.do.internal",
        "metadata.packet.net",
        "instance-data.ec2.internal",
        "ec2.internal",
        "compute.internal",
        "metadata.cloud.ibm.com",
        # clusters
        "kubernetes.default",
        "kubernetes.default.svc",
        "cluster.local",
        "consul",
        # names that resolve to whatever address is written in them
        "nip.io",
        "sslip.io",
        "xip.io",
        "localtest.me",
        "lvh.me",
        "vcap.me",
        "traefik.me",
        "localhost.run",
    }
)
"""Domains refused with everything below them."""

UNTRUSTED_TOP_LABELS = frozenset(
    {
        "local",
        "localdomain",
        "internal",
        "intranet",
        "lan",
        "home",
        "corp",
        "test",
        "invalid",
        "onion",
        "localhost",
    }
)
"""Last labels that never lead to the public internet."""

NEVER_PORTS = frozenset(
    {
        *(19, 20, 21, 22, 23, 25, 53, 69, 110, 111, 135, 137, 138, 139, 143, 161, 389, 445, 465, 514, 587, 636),
        *(873, 993, 995, 1433, 1521, 2049, 2181, 2375, 2376, 2379, 2380, 3306, 3389, 5432, 5672, 5900, 5984, 5985),
        *(5986, 6000, 6379, 6443, 9042, 9092, 9200, 9300, 10250, 10255, 11211, 27017, 27018, 27019),
    }
)
"""Ports of mail, files, remote control, databases and cluster control: no model is served there."""
