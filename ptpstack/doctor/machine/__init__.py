"""How facts are read from Linux: /proc, route netlink, ethtool, nftables. Nothing here judges, and nothing changes."""
