"""Certificates for the benchmarks, as a public authority gives them: a leaf for a year, below an intermediate, below a root."""
import os, pathlib, subprocess, typing

NAME = "radio.example"
EC = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256")
RSA = ("-newkey", "rsa:2048")

class Pair(typing.NamedTuple):
    """A certificate and its key, in the files that each server wants."""
    chain: pathlib.Path
    key: pathlib.Path
    # HAProxy's: both in one.
    both: pathlib.Path
    root: pathlib.Path

def certificate(folder, name, kind, signer, days, *extensions):
    command = ["openssl", "req", "-x509", "-nodes", "-sha256", *kind, "-days", str(days), "-subj", f"/CN={name}",
               "-keyout", folder / f"{name}.key", "-out", folder / f"{name}.pem"]
    for extension in extensions:
        command += ["-addext", extension]
    if signer:
        command += ["-CA", folder / f"{signer}.pem", "-CAkey", folder / f"{signer}.key"]
    subprocess.run(command, check=True, capture_output=True)

def exchange(path, text):
    """Writes a file that only we can read, in one step for whoever reads it."""
    new = path.with_suffix(".new")
    new.touch(mode=0o600)
    new.write_text(text)
    os.replace(new, path)

class Authority:
    """An authority of this run, which nobody else believes."""

    def __init__(self, folder):
        self.folder = folder / "authority"
        self.folder.mkdir()
        certificate(self.folder, "root", EC, None, 3650, "keyUsage=critical,keyCertSign")
        certificate(self.folder, "intermediate", EC, "root", 1000, "basicConstraints=critical,CA:TRUE,pathlen:0", "keyUsage=critical,keyCertSign")
        self.root = self.folder / "root.pem"

    def pair(self, label, kind=EC, into=None):
        """A fresh pair; `into` is exchanged where it is given."""
        certificate(self.folder, NAME, kind, "intermediate", 90, "basicConstraints=critical,CA:FALSE", "keyUsage=critical,digitalSignature",
                    "extendedKeyUsage=serverAuth", f"subjectAltName=DNS:{NAME}",
                    "crlDistributionPoints=URI:http://crl.radio.example/1.crl")
        chain = (self.folder / f"{NAME}.pem").read_text() + (self.folder / "intermediate.pem").read_text()
        key = (self.folder / f"{NAME}.key").read_text()
        pair = into or Pair(*(self.folder.parent / f"{label}.{kind}" for kind in ("pem", "key", "both")), self.root)
        for path, text in ((pair.key, key), (pair.chain, chain), (pair.both, chain + key)):
            exchange(path, text)
        return pair
