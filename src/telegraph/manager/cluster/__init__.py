"""A manager among several: its etcd member, the secrets that managers share, joining and leaving."""
