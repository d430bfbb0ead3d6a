"""The directory of several managers: etcd, spoken to over gRPC. Imported only where it is used: gRPC costs memory."""
