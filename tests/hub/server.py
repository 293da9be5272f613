#!/usr/bin/env python3
"""A server that speaks the Hugging Face hub's API from a folder, and misbehaves on request. For tests: standard library only.

    server.py ROOT [--port N] [--cert PEM]    serves until killed, https with a key and certificate; writes its port into ROOT/port once it listens

ROOT/models/ORG/NAME/REVISION/...      a repository's files, one folder per branch (percent-encoded); the commit is a hash of the content
ROOT/models/ORG/NAME/.gated            files need the token "hf_good"; any other token is told 403, none 401
ROOT/models/ORG/NAME/.moved            holds the id to which the repository was renamed (307)
ROOT/datasets/ORG--NAME.json           {config: {split: {"features": [...], "rows": [{...}, ...], "partial": false}}} for /rows, /splits, /info
ROOT/faults.json                       list of faults, see below; read again whenever it changes, counters start afresh then
ROOT/log.jsonl                         one line per request: method, path, host, authorization, range, status, whether it came as to a proxy

Large files (*.safetensors, *.model, *.bin, or 64 KiB and more) are LFS: `resolve` redirects to another *host*
(localhost for 127.0.0.1), at /cdn/SHA256, as the hub does to its content network; small ones to /api/resolve-cache/ on the same host.

A fault: {"path": REGEX, "do": WHAT, ...} with optional "method", "times" (how often it strikes; default always) and "skip" (requests
let through first). The first one that matches strikes:
    status   reply "status", with "headers" {} and "body" ""         drop     close without a reply
    cut      close after "after" bytes of the body                   stall    send "after" bytes of the body, then nothing for "seconds"
    slow     "rate" bytes a second                                   flip     one bit of the body's byte "after" is wrong
    short    leave the last "after" bytes away, Content-Length too   norange  ignore Range
    unsized  no Content-Length, and cut after "after" bytes          listing  change keys of the file "file" in the repository's listing by "set"
    noblobs  the listing tells neither sizes nor hashes
"""
import argparse
import hashlib
import json
import pathlib
import re
import ssl
import sys
import threading
import time
import urllib.parse
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

LFS_BYTES = 65536
LFS_ENDINGS = (".safetensors", ".model", ".bin")
PIECE = 65536


class Fail(Exception):
    """An answer that is an error: status, the hub's error code, message."""

    def __init__(self, status, code, message):
        super().__init__(message)
        self.status, self.code, self.message = status, code, message


class Faults:
    """ROOT/faults.json and how often each fault has struck."""

    def __init__(self, path):
        self.path, self.stamp, self.list, self.lock = path, None, [], threading.Lock()

    def find(self, method, path):
        with self.lock:
            try:
                info = self.path.stat()
                stamp = (info.st_mtime_ns, info.st_ino, info.st_size)
            except FileNotFoundError:
                stamp = None
            if stamp != self.stamp:
                self.stamp = stamp
                self.list = json.loads(self.path.read_text()) if stamp else []
                for fault in self.list:
                    fault["seen"] = 0
            for fault in self.list:
                if fault.get("method", method) != method or not re.search(fault["path"], path):
                    continue
                fault["seen"] += 1
                skip = fault.get("skip", 0)
                if fault["seen"] > skip and fault["seen"] <= skip + fault.get("times", sys.maxsize):
                    return fault
        return {}


class Repository:
    def __init__(self, folder, name):
        self.folder, self.name = folder, name

    def branches(self):
        return sorted(p for p in self.folder.iterdir() if p.is_dir())

    def files(self, branch):
        return sorted(p for p in branch.rglob("*") if p.is_file())

    def commit(self, branch):
        digest = hashlib.sha1(self.name.encode())
        for path in self.files(branch):
            digest.update(str(path.relative_to(branch)).encode() + b"\0" + hashlib.sha1(path.read_bytes()).digest())
        return digest.hexdigest()

    def find(self, revision):
        """The branch's folder and commit."""
        for branch in self.branches():
            commit = self.commit(branch)
            if urllib.parse.unquote(revision) in (urllib.parse.unquote(branch.name), commit):
                return branch, commit
        raise Fail(404, "RevisionNotFound", f"Invalid rev id: {revision}")


def is_lfs(path):
    return path.name.endswith(LFS_ENDINGS) or path.stat().st_size >= LFS_BYTES


def blob_id(data):
    return hashlib.sha1(b"blob %d\0" % len(data) + data).hexdigest()


def etag_of(path):
    data = path.read_bytes()
    return hashlib.sha256(data).hexdigest() if is_lfs(path) else blob_id(data)


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server_version = "fakehub"

    # ---- sending ----
    def log_message(self, *args):
        pass

    def note(self, status):
        line = {"method": self.command, "path": self.path, "host": self.headers.get("Host"),
                "authorization": self.headers.get("Authorization"), "range": self.headers.get("Range"),
                "if_range": self.headers.get("If-Range"), "agent": self.headers.get("User-Agent"), "proxied": self.proxied, "status": status}
        with self.server.log_lock, open(self.server.root / "log.jsonl", "a") as out:
            out.write(json.dumps(line) + "\n")

    def send(self, status, body=b"", headers=None, fault=None):
        """A whole reply; `fault` damages its body."""
        fault = fault or {}
        do, after = fault.get("do"), fault.get("after", 0)
        if do == "flip":
            body = body[:after] + bytes([body[after] ^ 1]) + body[after + 1:]
        if do == "short":
            body = body[:len(body) - after]
        self.note(status)
        self.send_response(status)
        for key, value in (headers or {}).items():
            self.send_header(key, value)
        if do == "unsized":
            self.send_header("Connection", "close")
        else:
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command == "HEAD":
            return
        if do in ("cut", "stall", "unsized"):
            self.wfile.write(body[:after])
            self.wfile.flush()
            if do == "stall":
                time.sleep(fault.get("seconds", 60))
            self.close_connection = True
        elif do == "slow":
            rate = fault["rate"]
            for start in range(0, len(body), max(1, rate // 20)):
                self.wfile.write(body[start:start + max(1, rate // 20)])
                self.wfile.flush()
                time.sleep(0.05)
        else:
            self.wfile.write(body)

    def send_json(self, value, headers=None, fault=None):
        self.send(200, json.dumps(value).encode(), {"Content-Type": "application/json", **(headers or {})}, fault)

    def send_bytes(self, data, headers, fault):
        """A file, or the piece of it that Range asks for."""
        asked = re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers.get("Range", ""))
        condition = self.headers.get("If-Range")
        if asked and fault.get("do") != "norange" and condition in (None, headers.get("ETag")):
            first, last = int(asked[1]), min(int(asked[2] or len(data)), len(data) - 1)
            if first >= len(data):
                return self.send(416, b"", {"Content-Range": f"bytes */{len(data)}"})
            headers = {**headers, "Content-Range": f"bytes {first}-{last}/{len(data)}"}
            return self.send(206, data[first:last + 1], headers, fault)
        return self.send(200, data, headers, fault)

    # ---- the hub ----
    def token(self):
        return (self.headers.get("Authorization") or "").removeprefix("Bearer ")

    def repository(self, org, name):
        folder = self.server.root / "models" / org / name
        moved = folder / ".moved"
        if moved.exists():
            return None, moved.read_text().strip()
        if not folder.is_dir():
            if not self.token():
                raise Fail(401, "RepoNotFound", "Invalid username or password.")
            raise Fail(404, "RepoNotFound", "Repository not found")
        return Repository(folder, f"{org}/{name}"), None

    def check_gate(self, repo):
        if not (repo.folder / ".gated").exists() or self.token() == "hf_good":
            return
        where = f"Access to model {repo.name} is restricted"
        if not self.token():
            raise Fail(401, "GatedRepo", where + ". You must have access to it and be authenticated to access it. Please log in.")
        raise Fail(403, "GatedRepo", where + " and you are not in the authorized list. Visit its page to ask for access.")

    def listing(self, org, name, revision, query, fault):
        repo, moved = self.repository(org, name)
        if moved:
            return self.send(307, b"", {"Location": self.path.replace(f"{org}/{name}", moved, 1)})
        branch, commit = repo.find(revision)
        siblings = []
        for path in repo.files(branch):
            entry = {"rfilename": path.relative_to(branch).as_posix()}
            if query.get("blobs") and fault.get("do") != "noblobs":
                data = path.read_bytes()
                entry.update(size=len(data), blobId=blob_id(data))
                if is_lfs(path):
                    entry["lfs"] = {"sha256": etag_of(path), "size": len(data), "pointerSize": 134}
            if fault.get("do") == "listing" and fault["file"] == entry["rfilename"]:
                entry.update(fault["set"])
            siblings.append(entry)
        gated = "manual" if (repo.folder / ".gated").exists() else False
        return self.send_json({"id": repo.name, "modelId": repo.name, "sha": commit, "private": False, "gated": gated,
                               "siblings": siblings, "tags": [], "downloads": 0}, fault=fault)

    def tree(self, org, name, revision):
        repo, _ = self.repository(org, name)
        branch, _ = repo.find(revision)
        entries = []
        for path in repo.files(branch):
            data = path.read_bytes()
            entry = {"type": "file", "path": path.relative_to(branch).as_posix(), "size": len(data), "oid": blob_id(data)}
            if is_lfs(path):
                entry["lfs"] = {"oid": etag_of(path), "size": len(data), "pointerSize": 134}
            entries.append(entry)
        return self.send_json(entries)

    def resolve(self, org, name, revision, file, fault):
        repo, moved = self.repository(org, name)
        if moved:
            return self.send(307, b"", {"Location": self.path.replace(f"{org}/{name}", moved, 1)})
        branch, commit = repo.find(revision)
        self.check_gate(repo)
        path = branch / urllib.parse.unquote(file)
        if not path.is_file():
            raise Fail(404, "EntryNotFound", "Entry not found")
        etag, size = etag_of(path), path.stat().st_size
        headers = {"X-Repo-Commit": commit, "X-Linked-Size": str(size), "X-Linked-Etag": f'"{etag}"', "Accept-Ranges": "bytes"}
        if is_lfs(path):
            host = self.headers.get("Host", "").replace("127.0.0.1", "localhost")
            headers["Location"] = f"{self.server.scheme}://{host}/cdn/{org}/{name}/{commit}/{file}?signature=secret-of-the-cdn"
            return self.send(302, b"Found. Redirecting", headers)
        headers["Location"] = f"/api/resolve-cache/models/{org}/{name}/{commit}/{file}?etag=%22{etag}%22"
        return self.send(307, b"Temporary Redirect", headers)

    def content(self, org, name, commit, file, fault, cdn):
        repo, _ = self.repository(org, name)
        branch, commit = repo.find(commit)
        path = branch / urllib.parse.unquote(file)
        data = path.read_bytes()
        # a content network has entity tags of its own
        etag = hashlib.md5(data).hexdigest() if cdn else blob_id(data)
        headers = {"ETag": f'"{etag}"', "Accept-Ranges": "bytes", "Content-Type": "application/octet-stream"}
        if not cdn:
            headers["X-Repo-Commit"] = commit
        return self.send_bytes(data, headers, fault)

    # ---- the data set viewer ----
    def dataset(self, query):
        path = self.server.root / "datasets" / (query.get("dataset", "").replace("/", "--") + ".json")
        if not path.exists():
            raise Fail(404, "ResponseNotFound", "The dataset does not exist, or is not accessible without authentication (private or gated).")
        return json.loads(path.read_text())

    def split(self, query):
        data = self.dataset(query)
        try:
            return data[query["config"]][query["split"]]
        except KeyError:
            raise Fail(404, "ResponseNotFound", "Not found.") from None

    def splits(self, query, fault):
        found = [{"dataset": query["dataset"], "config": c, "split": s} for c, all_ in self.dataset(query).items() for s in all_]
        return self.send_json({"splits": found, "pending": [], "failed": []}, fault=fault)

    def info(self, query, fault):
        infos = {}
        for config, splits in self.dataset(query).items():
            first = next(iter(splits.values()))
            infos[config] = {"features": {f["name"]: f["type"] for f in first["features"]},
                             "splits": {s: {"name": s, "num_examples": len(v["rows"]), "dataset_name": query["dataset"]} for s, v in splits.items()}}
        if "config" in query:
            infos = infos.get(query["config"], {})
        return self.send_json({"dataset_info": infos, "pending": [], "failed": [], "partial": False}, fault=fault)

    def rows(self, query, fault):
        split = self.split(query)
        offset, length = int(query.get("offset", 0)), int(query.get("length", 100))
        if length > 100:
            raise Fail(422, "UnprocessableEntity", "Parameter 'length' must not be greater than 100")
        rows = [{"row_idx": i, "row": r, "truncated_cells": []} for i, r in enumerate(split["rows"])][offset:offset + length]
        features = [{"feature_idx": i, **f} for i, f in enumerate(split["features"])]
        return self.send_json({"features": features, "rows": rows, "num_rows_total": len(split["rows"]), "num_rows_per_page": 100,
                               "partial": split.get("partial", False)}, fault=fault)

    # ---- dispatch ----
    def route(self, fault):
        split = urllib.parse.urlsplit(self.path)
        path, query = split.path, dict(urllib.parse.parse_qsl(split.query))
        if found := re.fullmatch(r"/api/models/([^/]+)/([^/]+)(?:/revision/([^/]+))?", path):
            return self.listing(found[1], found[2], found[3] or "main", query, fault)
        if found := re.fullmatch(r"/api/models/([^/]+)/([^/]+)/tree/([^/]+)", path):  # only the Python client asks this
            return self.tree(*found.groups())
        if found := re.fullmatch(r"/api/resolve-cache/models/([^/]+)/([^/]+)/([^/]+)/(.+)", path):
            return self.content(*found.groups(), fault, cdn=False)
        if found := re.fullmatch(r"/cdn/([^/]+)/([^/]+)/([^/]+)/(.+)", path):
            return self.content(*found.groups(), fault, cdn=True)
        if found := re.fullmatch(r"/([^/]+)/([^/]+)/resolve/([^/]+)/(.+)", path):
            return self.resolve(*found.groups(), fault)
        if path in ("/rows", "/splits", "/info"):
            return {"/rows": self.rows, "/splits": self.splits, "/info": self.info}[path](query, fault)
        if path == "/echo":  # what a request looked like, for tests of the HTTP layer
            return self.send_json({"method": self.command, "headers": {k.lower(): v for k, v in self.headers.items()}, "body": self.body,
                                   "query": query}, fault=fault)
        if path == "/redirect":  # to ?to= with ?status=
            return self.send(int(query.get("status", 302)), b"", {"Location": query["to"]})
        raise Fail(404, "", "no such address")

    def answer(self):
        self.proxied = self.path.startswith("http://")  # asked as a proxy: the host in the address is not looked up
        if self.proxied:
            self.path = "/" + self.path.split("/", 3)[3]
        self.body = self.rfile.read(int(self.headers.get("Content-Length") or 0)).decode()
        fault = self.server.faults.find(self.command, self.path)
        if fault.get("do") == "drop":
            self.note(0)
            self.close_connection = True
            return
        if fault.get("do") == "status":
            self.send(fault["status"], fault.get("body", "").encode(), fault.get("headers"))
            return
        try:
            self.route(fault)
        except Fail as fail:
            headers = {"X-Error-Code": fail.code, "X-Error-Message": fail.message, "Content-Type": "application/json"}
            self.send(fail.status, json.dumps({"error": fail.message}).encode(), headers)
        except (BrokenPipeError, ConnectionResetError):
            self.close_connection = True

    do_GET = do_HEAD = do_POST = answer


class Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 64

    def handle_error(self, request, client_address):
        if not isinstance(sys.exc_info()[1], (ConnectionError, ssl.SSLError)):  # clients that go away are what the tests are about
            super().handle_error(request, client_address)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("root", type=pathlib.Path)
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--cert", type=pathlib.Path)
    options = parser.parse_args()
    server = Server(("127.0.0.1", options.port), Handler)
    server.scheme = "http"
    if options.cert:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(options.cert)
        server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
        server.scheme = "https"
    server.root, server.log_lock = options.root, threading.Lock()
    server.faults = Faults(options.root / "faults.json")
    temporary = options.root / ".port"
    temporary.write_text(f"{server.server_address[1]}\n")
    temporary.rename(options.root / "port")
    server.serve_forever()


if __name__ == "__main__":
    main()
