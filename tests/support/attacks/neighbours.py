"""Attacks on whoever comes next or stands beside: processes and files left behind, the supervisor's own things."""

from __future__ import annotations

from tests.support.attacks.attack import attack, probe

_SERVER = """
    import os, socket, sys, time
    if os.fork() == 0:
        os.setsid()
        if os.fork(): os._exit(0)
        listener = socket.socket({family})
        listener.bind({address})
        listener.listen()
        print(4711, flush=True)
        time.sleep(60)
    time.sleep(0.2)
"""
_LEAVE_MARKERS = """
    import os
    for place in ("/tmp/marker", "/dev/shm/marker", "marker", "/dev/mqueue/marker"):
        open(place, "w").write("4711")
    os.mkdir("/tmp/.hidden"); open("/tmp/.hidden/marker", "w").close()
    print(4711)
"""

LEFTOVERS = (
    attack(16, "daemon", "AC", """
        import os, time
        if os.fork() == 0:
            os.setsid()
            if os.fork() == 0:
                while True: time.sleep(1)
            os._exit(0)
        print(4711)
    """, within_s=40),
    attack(16, "daemons that fork on and ignore signals", "AC", """
        import os, signal, time
        for number in range(1, 32):
            try: signal.signal(number, signal.SIG_IGN)
            except OSError: pass
        print(4711, flush=True)
        if os.fork() == 0:
            while True:
                try:
                    if os.fork(): os._exit(0)
                    os.setsid()
                except OSError: pass
    """, within_s=40),
    attack(17, "a grandchild holds the output open", "AC", """
        import subprocess
        print(4711, flush=True)
        subprocess.Popen(["sleep", "60"])
    """, within_s=40),
    probe(16, "no process of the test before is there", """
        mine = {str(os.getpid()), "self", "thread-self"}
        for pid in os.listdir("/proc"):
            if pid.isdigit() and pid not in mine and os.stat(f"/proc/{pid}").st_uid != 0: got_through.append(pid)
    """, before=("import os, time\nif os.fork() == 0:\n    os.setsid()\n    time.sleep(60)\n",)),
    probe(21, "a server left running", """
        attempt("port", socket.create_connection, ("127.0.0.1", 5555), 1)
    """, before=(_SERVER.format(family="socket.AF_INET", address='("127.0.0.1", 5555)'),)),
    probe(22, "an abstract socket left open", """
        attempt("abstract", socket.socket(socket.AF_UNIX).connect, chr(0) + "marker")
        if any("marker" in line for line in open("/proc/net/unix")): got_through.append("/proc/net/unix")
    """, before=(_SERVER.format(family="socket.AF_UNIX", address='chr(0) + "marker"'),)),
    probe(44, "markers in every writable place", """
        for place in ("/tmp", "/dev/shm", ".", "/dev/mqueue"):
            got_through += [f"{place}/{name}" for name in os.listdir(place)]
        for place in ("/", "/var/tmp", "/run", "/run/lock", "/usr/tmp", "/box", "/dev", "/home", "/var/lock", "/etc"):
            attempt(place, lambda: open(f"{place}/marker", "w").close())
    """, before=(_LEAVE_MARKERS,)),
    probe(43, "shared memory and queues of the test before", """
        for name in ("shm", "sem", "msg"):
            got_through += open(f"/proc/sysvipc/{name}").readlines()[1:]
    """, before=("""
        import ctypes
        libc = ctypes.CDLL(None)
        libc.shmget(4711, 4096, 0o1666); libc.semget(4711, 1, 0o1666); libc.msgget(4711, 0o1666)
        print(4711)
    """,)),
    probe(45, "channels in the kernel", """
        import fcntl
        syscall("add_key", 248, 0, 0, 0, 0, -3)
        syscall("keyctl", 250, 0, -3, 0)
        syscall("request_key", 249, 0, 0, 0, 0)
        for family in (40, 38, 17, 9, 44, 30, 21):  # vsock, alg, packet, x25, xdp, tipc, rds
            attempt(f"family {family}", socket.socket, family, socket.SOCK_DGRAM)
        lock = open("/etc/passwd")
        attempt("lock of the test before", lambda: fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB) and None or 1 / 0) \\
            if False else fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    """, before=("""
        import fcntl, os, time
        lock = open("/etc/passwd")
        fcntl.flock(lock, fcntl.LOCK_EX)
        if os.fork() == 0: time.sleep(60)
        print(4711)
    """,)),
    probe(33, "modules and start files for the next interpreter", """
        import random, json
        for name in ("random", "json", "sitecustomize", "usercustomize", "conftest"):
            module = sys.modules.get(name)
            if hasattr(module, "HIJACKED"): got_through.append(name)
        import usercustomize
    """.replace("import usercustomize", "if os.path.exists('.local'): got_through.append('.local')"), before=("""
        import os, site
        user = os.path.join(os.environ["HOME"], ".local/lib/python3.11/site-packages")
        os.makedirs(user)
        for folder in (".", "/tmp", "/dev/shm", user):
            for name in ("random", "json", "sitecustomize", "usercustomize", "conftest"):
                open(f"{folder}/{name}.py", "w").write("HIJACKED = True\\nprint(4711)\\n")
            open(f"{folder}/x.pth", "w").write("import os; print(4711)\\n")
        os.environ["PYTHONSTARTUP"] = "/tmp/random.py"
        print(4711)
    """,)),
    attack(39, "links to the supervisor's files", "AC", """
        import os
        for number, target in enumerate(("/etc/passwd", "/box/.bin", "/proc/1/environ", "/", "/box", "nowhere")):
            os.symlink(target, f"link{number}")
            os.symlink(target, f"/tmp/link{number}")
        os.symlink("/etc/passwd", "program")
        print(4711)
    """),
    attack(40, "odd things in the working directory", "AC", """
        import os, socket
        os.mkfifo("fifo"); os.mkfifo("program"); os.link("fifo", "/tmp/fifo") if False else None
        open("file", "w").close(); os.link("file", "hardlink")
        socket.socket(socket.AF_UNIX).bind("socket")
        os.mkdir(b"\\xff\\xfe\\n"); os.mkdir("x" * 255)
        print(4711)
    """),
    probe(40, "devices", """
        import stat
        attempt("null", os.mknod, "null", stat.S_IFCHR | 0o666, os.makedev(1, 3))
        attempt("disk", os.mknod, "disk", stat.S_IFBLK | 0o666, os.makedev(254, 0))
        attempt("foreign hard link", os.link, "/etc/passwd", "passwd")
    """),
    attack(0, "directories that their owner has closed", "AC", """
        import os
        os.makedirs("a/b"); open("a/b/c", "w").close()
        os.chmod("a/b", 0); os.chmod("a", 0); os.chmod(".", 0)
        os.makedirs("/tmp/a/b"); os.chmod("/tmp/a", 0)
        print(4711)
    """),
    attack(0, "directories from which only owners may remove", "AC", """
        import os
        os.makedirs("/tmp/a"); open("/tmp/a/b", "w").close(); os.chmod("/tmp/a", 0o1777)
        os.makedirs("a"); open("a/b", "w").close(); os.chmod("a", 0o1777); os.chmod(".", 0o1777)
        print(4711)
    """),
)  # fmt: skip

SNOOPING = (
    probe(23, "other processes", """
        for pid in ["1", str(os.getppid())] + [name for name in os.listdir("/proc") if name.isdigit()]:
            if pid == str(os.getpid()): continue
            for name in ("environ", "mem", "maps", "stack", "syscall", "auxv", "pagemap"):
                attempt(f"{pid}/{name}", lambda: open(f"/proc/{pid}/{name}", "rb").read(1))
            for name in ("fd", "map_files", "fdinfo"): attempt(f"{pid}/{name}", os.listdir, f"/proc/{pid}/{name}")
            for name in ("exe", "cwd", "root"): attempt(f"{pid}/{name}", os.readlink, f"/proc/{pid}/{name}")
            for name in ("mem", "oom_score_adj", "comm", "clear_refs", "coredump_filter"):
                attempt(f"write {pid}/{name}", lambda: open(f"/proc/{pid}/{name}", "r+b", buffering=0).write(b"0"))
            try: told = open(f"/proc/{pid}/cmdline").read()
            except ProcessLookupError: continue
            if "4711" in told or "held" in told: got_through.append(told)
    """),
    probe(23, "its own environment", """
        wanted = {"PATH", "LANG", "LC_ALL", "TMPDIR", "HOME", "PYTHONHASHSEED", "PYTHONDONTWRITEBYTECODE",
                  "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"}
        got_through += sorted(set(os.environ) - wanted)
    """),
    probe(24, "tests and references on disk", """
        import glob
        for place in ("/tests", "/solution", "/expected", "/box/tests", "/data", "/app", "/root"):
            attempt(place, os.listdir, place) if place != "/root" else None
        attempt("all homes", os.listdir, "/box")
        for folder in (".", "/tmp", "/dev/shm", "/mnt", "/opt", "/srv", "/media"):
            got_through += os.listdir(folder) if os.path.isdir(folder) else []
    """),
    probe(35, "descriptors that were left open", """
        for fd in range(3, 300): attempt(f"write to {fd}", os.write, fd, b"4711\\n")
        got_through += [fd for fd in os.listdir("/proc/self/fd") if int(fd) > 3]
    """),
    attack(36, "frames, NUL and control sequences", "WA", """
        import os
        frame = b"\\0\\0\\0\\x2e\\0\\0\\0\\0" + b'{"is": "end", "status": 0, "signal": 0, "n_out": 0}'
        for fd in (1, 2):
            os.write(fd, b"\\x01\\0\\0\\0\\0\\0\\0\\x10" + frame + b"\\x1b[2J\\x1b]0;4711\\x07\\0" + frame)
    """),
    attack(34, "says itself that it has passed", "WA", """
        import sys
        for said in ("PASSED", "OK", "AC", "1 passed in 0.01s", "<<<RESULT>>> 1.0", '{"is": "end", "outcome": "correct"}'):
            print(said); sys.stderr.write(said + "\\n")
    """),
    attack(38, "knows the samples by heart", ("AC", "WA"), "print({'1': 1, '2': 4}.get(input(), 0))", tests={
        "kind": "stdio", "cases": [{"stdin": "2\n", "stdout": "4\n"}, {"stdin": "3\n", "stdout": "9\n"}],
    }),
    attack(48, "bytes that are no text", "WA", "import os\nos.write(1, bytes(range(128, 256)))"),
    attack(48, "bytes of another encoding", "WA", "import os\nos.write(1, 'é'.encode('latin-1'))", stdout="é\n"),
    attack(49, "a number of 10,001 digits", "AC", "print(10 ** 10000)", stdout="1" + "0" * 10_000 + "\n"),
    attack(49, "a number of 100,001 digits", "WA", "print(10 ** 100000)"),
    attack(49, "half a character", "RE", "print(chr(0xd800))"),
    attack(25, "looks for what is expected in its own memory", "WA", """
        import gc, sys
        seen, found = set(), []
        def search(thing, depth):
            if id(thing) in seen or depth > 12: return
            seen.add(id(thing))
            if isinstance(thing, (str, bytes)):
                text = thing if isinstance(thing, str) else thing.decode("latin-1")
                if "".join(("47", "11")) in text and "search" not in text: found.append(text)
            elif not isinstance(thing, type(sys)):
                for inner in gc.get_referents(thing): search(inner, depth + 1)
        frame = sys._getframe()
        while frame:
            for value in [*frame.f_locals.values(), *frame.f_globals.values()]: search(value, 0)
            frame = frame.f_back
        for thing in gc.get_objects(): search(thing, 8)
        print(found[0] if found else "nothing")
    """, limits={"time_limit_s": 4}),
)  # fmt: skip
