"""Attacks that want the machine: its processes, memory, disk, time, and the way out. Numbers as in docs/sandbox.md."""

from __future__ import annotations

from tests.support.attacks.attack import attack, probe

_FORK_BOMB_C = "#include <unistd.h>\nint main() { for (;;) fork(); }"
_SLEEP_OR_SPIN = "while True: pass"

EXHAUSTION = (
    attack(1, "fork bomb", "RE TLE MLE", """
        import os
        while True:
            try:
                os.fork()
            except OSError:
                pass
    """),
    attack(1, "fork bomb in C", "RE TLE MLE", _FORK_BOMB_C, language="c"),
    attack(1, "fork chain that never stands still", "WA RE TLE MLE", """
        #include <unistd.h>
        int main() { for (;;) if (fork()) _exit(0); }
    """, language="c"),
    attack(2, "thread bomb", "RE", """
        import threading, time
        while True:
            threading.Thread(target=time.sleep, args=(1000,), daemon=True).start()
    """),
    attack(3, "growing bytearray", "MLE", """
        held = bytearray()
        while True:
            held += bytes(1 << 20)
    """),
    attack(4, "two gigabytes mapped and not touched", "AC", """
        import mmap
        held = mmap.mmap(-1, 2 << 30)
        print(4711)
    """),
    attack(5, "children share the memory load", "MLE", """
        import os, time
        for _ in range(8):
            if os.fork() == 0:
                held = b"x" * (48 << 20)
                time.sleep(1)
                os._exit(0)
        for _ in range(8):
            os.wait()
        print(4711)
    """),
    attack(6, "infinite output", "OLE", "while True: print('x' * 1000)"),
    attack(7, "infinite errors", "OLE RE", "import sys\nwhile True: sys.stderr.write('x' * 1000)"),
    attack(8, "300 KB of output that is right", "AC", "print('x' * 300_000)", stdout="x" * 300_000 + "\n"),
    attack(8, "300 KB of errors beside it", "AC", "import sys\nsys.stderr.write('x' * 300_000)\nprint(4711)"),
    attack(9, "sleeps for ever", "TLE", "import time\ntime.sleep(1e9)"),
    attack(10, "spins", "TLE", _SLEEP_OR_SPIN),
    attack(11, "50 MB of input that nobody reads", "AC", "print(4711)", stdin="x" * 50_000_000),
    attack(11, "50 MB of input, and sleeps", "TLE", "import time\ntime.sleep(1e9)", stdin="x" * 50_000_000),
    attack(12, "closes its streams", "WA RE", "import os\nos.close(0)\nos.close(1)\nos.close(2)", stdin="x" * 200_000),
    attack(13, "catches everything", "TLE", """
        while True:
            try:
                while True:
                    pass
            except BaseException:
                pass
    """),
    attack(14, "ignores SIGTERM and SIGHUP", "TLE", """
        import signal, time
        for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT, signal.SIGXCPU):
            signal.signal(number, signal.SIG_IGN)
        while True: time.sleep(1)
    """),
    attack(15, "takes the alarm clock away", "TLE", """
        import signal
        signal.alarm(0)
        signal.signal(signal.SIGALRM, lambda *_: None)
        signal.setitimer(signal.ITIMER_PROF, 0)
        while True: pass
    """),
    attack(18, "stops itself", "TLE", "import os, signal\nos.kill(os.getpid(), signal.SIGSTOP)"),
    attack(46, "a power that never ends", "TLE MLE", "print(10 ** 10 ** 8)"),
    attack(46, "a regular expression that explodes", "TLE", "import re\nre.match('(a+)+$', 'a' * 40 + 'b')"),
    attack(46, "a zip bomb", "MLE", """
        import zlib
        packer = zlib.compressobj(9)
        packed = b"".join(packer.compress(bytes(1 << 20)) for _ in range(400)) + packer.flush()
        print(len(zlib.decompress(packed)))
    """, limits={"time_limit_s": 4}),
    attack(47, "recursion without end", "RE", "def f(): return f()\nf()"),
    attack(47, "recursion without end, limit lifted", "RE MLE", """
        import sys
        sys.setrecursionlimit(10 ** 9)
        def f(): return f()
        f()
    """, limits={"time_limit_s": 3}),
    attack(47, "stack smashed", "RE MLE TLE", "int f(int n) { return n + f(n + 1) * 2; }\nint main() { return f(1); }",
           language="c"),
    attack(47, "reads address zero", "RE", "import ctypes\nctypes.string_at(0)"),
    attack(56, "a clock of its own", "TLE", """
        import os, time
        time.time = time.monotonic = time.perf_counter = time.process_time = lambda: 0.0
        os.environ["LD_PRELOAD"] = "libfaketime.so.1"
        while time.time() < 1: pass
        print(4711)
    """),
    attack(57, "burns the time of four processes", "TLE", """
        import os, time
        for _ in range(4):
            if os.fork() == 0:
                while time.process_time() < 0.3: pass
                os._exit(0)
        for _ in range(4): os.wait()
        print(4711)
    """),
    attack(57, "burns the time of four threads", "TLE", """
        #include <pthread.h>
        #include <stdio.h>
        #include <time.h>
        static void *burn(void *_) { while (clock() < 800000) ; return 0; }
        int main() {
            pthread_t threads[4];
            for (int i = 0; i < 4; i++) pthread_create(&threads[i], 0, burn, 0);
            for (int i = 0; i < 4; i++) pthread_join(threads[i], 0);
            puts("4711");
        }
    """, language="c"),
    attack(62, "core dump", "RE", "import resource, os\nos.abort()"),
)  # fmt: skip

DISK = (
    attack(41, "fills /tmp", "RE", """
        while True:
            with open("/tmp/full", "ab") as file: file.write(bytes(1 << 20))
    """),
    attack(41, "one huge file", "RE", "with open('huge', 'wb') as file:\n    while True: file.write(bytes(1 << 20))"),
    attack(41, "fills the working directory with many files", "RE MLE TLE", """
        number = 0
        while True:
            number += 1
            with open(f"file{number}", "wb") as file: file.write(bytes(32 << 20))
    """),
    attack(42, "a million empty files", "RE TLE", """
        number = 0
        while True:
            number += 1
            open(f"/tmp/{number}", "w").close()
    """),
    attack(42, "directories in directories", "RE TLE", """
        import os
        while True:
            os.mkdir("d")
            os.chdir("d")
    """),
    attack(43, "fills /dev/shm", "MLE RE", """
        while True:
            with open("/dev/shm/full", "ab") as file: file.write(bytes(1 << 20))
    """),
    attack(43, "memory behind descriptors", "MLE", """
        import os
        while True:
            fd = os.memfd_create("held")
            for _ in range(48): os.write(fd, bytes(1 << 20))
    """),
    attack(43, "SysV shared memory", "RE MLE", """
        import ctypes
        libc = ctypes.CDLL(None)
        libc.shmat.restype = ctypes.c_void_p
        while True:
            segment = libc.shmget(0, 16 << 20, 0o1600)
            if segment < 0: raise SystemExit("no more")
            ctypes.memset(libc.shmat(segment, None, 0), 1, 16 << 20)
    """),
)  # fmt: skip

WAYS_OUT = (
    attack(19, "kills everybody it can, then its parent", "RE", """
        import os, signal
        os.kill(-1, signal.SIGKILL)
        os.kill(os.getppid(), signal.SIGKILL)
    """),
    attack(19, "kills whoever comes to kill it", "TLE RE", """
        #include <signal.h>
        #include <unistd.h>
        int main() { fork(); fork(); for (;;) kill(-1, SIGKILL); }
    """, language="c"),
    probe(19, "kills by number", """
        import signal
        for pid in range(1, 40):
            if pid != os.getpid(): attempt(f"kill {pid}", os.kill, pid, signal.SIGKILL)
    """),
    probe(20, "network", """
        for host in ("1.1.1.1", "8.8.8.8", "172.17.0.1"):
            attempt(host, socket.create_connection, (host, 53), 1)
        attempt("name", socket.getaddrinfo, "example.com", 80)
        attempt("raw", socket.socket, socket.AF_INET, socket.SOCK_RAW, 1)
        attempt("packets", socket.socket, socket.AF_PACKET, socket.SOCK_RAW)
        got_through += [name for _, name in socket.if_nameindex() if name not in ("lo", "tunl0", "sit0")]
    """),
    probe(54, "engine, cloud metadata, host file systems", """
        attempt("metadata", socket.create_connection, ("169.254.169.254", 80), 1)
        for place in ("/var/run/docker.sock", "/run/docker.sock", "/run/containerd/containerd.sock"):
            attempt(place, os.stat, place)
        for line in open("/proc/self/mounts"):
            device, place, kind, options = line.split()[:4]
            is_ours = place.startswith("/etc/") or place.endswith("/docker-init") and "ro" in options.split(",")
            if kind in ("ext4", "xfs", "btrfs", "9p", "virtiofs") and not is_ours: got_through.append(line)
            if kind == "overlay" and "ro" not in options.split(","): got_through.append(line)
    """),
    probe(51, "lifts its own limits", """
        import resource
        for name in ("CPU", "FSIZE", "CORE", "NOFILE", "STACK"):
            number = getattr(resource, f"RLIMIT_{name}")
            hard = resource.getrlimit(number)[1]
            attempt(name, resource.setrlimit, number, (hard, resource.RLIM_INFINITY))
        attempt("nice", os.nice, -5)
        attempt("oom_score_adj", lambda: open("/proc/self/oom_score_adj", "wb", 0).write(b"-1"))
    """),
    probe(52, "the kernel's wider surface", """
        calls = dict(ptrace=(101, 0), mount=(165, 0, 0, 0, 0, 0), umount=(166, 0, 0), pivot_root=(155, 0, 0), chroot=(161, 0),
                     unshare=(272, 0x10000000), setns=(308, 0, 0), bpf=(321, 0, 0, 0), io_uring_setup=(425, 1, 0),
                     userfaultfd=(323, 0), perf_event_open=(298, 0, 0, -1, -1, 0), process_vm_readv=(310, 1, 0, 0, 0, 0, 0),
                     process_vm_writev=(311, 1, 0, 0, 0, 0, 0), open_by_handle_at=(304, 0, 0, 0), init_module=(175, 0, 0, 0),
                     kexec_load=(246, 0, 0, 0, 0), reboot=(169, 0, 0, 0, 0), syslog=(103, 3, 0, 0), swapon=(167, 0, 0),
                     clock_settime=(227, 0, 0), sethostname=(170, 0, 0), acct=(163, 0), quotactl=(179, 0, 0, 0, 0),
                     personality=(135, 0x0040000), clone=(56, 0x10000000, 0, 0, 0, 0), clone3=(435, 0, 0), iopl=(172, 3),
                     fanotify=(300, 0, 0), lookup_dcookie=(212, 0, 0, 0), kcmp=(312, 1, 1, 0, 0, 0), pidfd_getfd=(438, 0, 0, 0),
                     fsopen=(430, 0, 0), move_mount=(429, 0, 0, 0, 0, 0), landlock=(444, 0, 0, 1), setdomainname=(171, 0, 0))
        for name, call in calls.items(): syscall(name, *call)
    """),
    attack(52, "calls of another architecture", "RE", """
        int main() { int n; __asm__ volatile("int $0x80" : "=a"(n) : "a"(20)); return 0; }
    """, language="c"),
    probe(53, "more rights", """
        import stat, subprocess
        for folder in ("/bin", "/usr/bin", "/usr/sbin", "/usr/lib/openssh", "/usr/local/bin"):
            for name in os.listdir(folder) if os.path.isdir(folder) else ():
                mode = os.lstat(f"{folder}/{name}").st_mode
                if mode & (stat.S_ISUID | stat.S_ISGID) and stat.S_ISREG(mode): got_through.append(name)
        status = dict(line.rstrip().split(":", 1) for line in open("/proc/self/status"))
        for name in ("CapInh", "CapPrm", "CapEff", "CapAmb"):
            if int(status[name], 16): got_through.append(f"{name} {status[name]}")
        if status["NoNewPrivs"].strip() != "1" or status["Seccomp"].strip() != "2": got_through.append("no_new_privs")
        if 0 in os.getresuid() + os.getresgid() or os.getgroups(): got_through.append("root")
        attempt("setuid", os.setuid, 0)
        attempt("setgid", os.setgid, 0)
        attempt("setresuid", os.setresuid, -1, 0, -1)
        attempt("shadow", open, "/etc/shadow")
    """),
    probe(55, "the machine's own files", """
        for place in ("/dev/kmsg", "/dev/mem", "/proc/kcore", "/proc/kmsg"):
            attempt(place, lambda: open(place, "rb").read(10) or 1 / 1)
        for place in ("/proc/sysrq-trigger", "/proc/sys/kernel/core_pattern", "/proc/sys/vm/drop_caches", "/sys/kernel/uevent_helper",
                      "/sys/fs/cgroup/memory/memory.limit_in_bytes", "/sys/fs/cgroup/memory.max", "/etc/passwd", "/usr/bin/x"):
            attempt(place, open, place, "wb")
    """),
    probe(62, "core dumps, abroad too", """
        import resource
        if resource.getrlimit(resource.RLIMIT_CORE) != (0, 0): got_through.append("core")
        if os.fork() == 0: os.abort()
        os.wait()
        got_through += [name for name in os.listdir(".") + os.listdir("/tmp") if "core" in name]
    """),
)  # fmt: skip
