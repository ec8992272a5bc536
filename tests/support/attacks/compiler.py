"""Attacks that work while a program is compiled, or before its main function."""

from __future__ import annotations

from tests.support.attacks.attack import attack

COMPILER = (
    attack(58, "templates without end", "CE", """
        template<int N, int M> struct F { static const long v = F<N - 1, M>::v + F<N - 1, M + (1 << N)>::v; };
        template<int M> struct F<0, M> { static const long v = M; };
        int main() { return F<25, 0>::v; }
    """, language="cpp"),
    attack(58, "includes without end", "CE", '#include "/dev/zero"\nint main() {}', language="cpp"),
    attack(58, "random includes", "CE", '#include "/dev/urandom"\nint main() {}', language="cpp"),
    attack(58, "includes itself", "CE", '#include "/dev/stdin"\n#include "/proc/self/fd/0"\nint main() { return x; }', language="cpp"),
    attack(58, "errors without end", "CE", """
        #define A(x) x x x x x x x x x x
        #define B(x) A(A(A(A(A(x)))))
        int main() { B(undeclared_name_that_is_long(); ) }
    """, language="cpp"),
    attack(58, "a huge program", "CE", "char a[1ull << 32] = {1};\nint main() {}", language="c"),
    attack(58, "constant evaluation without end", "CE", """
        constexpr long f(long n) { long s = 0; for (long i = 0; i < n; i++) for (long j = 0; j < n; j++) s += i ^ j; return s; }
        constexpr long v = f(30000);
        int main() { return v; }
    """, language="cpp"),
    attack(59, "reads /etc/shadow", "CE", '#include "/etc/shadow"\nint main() {}', language="cpp"),
    attack(59, "reads the supervisor's environment", "CE", '#include "/proc/1/environ"\nint main() {}', language="cpp"),
    attack(59, "asks what there is", "AC CE", """
        #include <cstdio>
        #if __has_include("/var/run/docker.sock") || __has_include("/box/tests") || __has_include("/root/.bashrc")
        int main() { puts("there"); }
        #else
        int main() { puts("4711"); }
        #endif
    """, language="cpp"),
    attack(59, "takes a file in while assembling", "CE", """
        asm(".incbin \\"/etc/shadow\\"");
        int main() {}
    """, language="c"),
    attack(60, "an end before main", "WA", """
        #include <unistd.h>
        struct Early { Early() { _exit(0); } } early;
        int main() { return 1; }
    """, language="cpp"),
    attack(60, "an end among the initialisers", "WA", """
        #include <unistd.h>
        static void early(void) { _exit(0); }
        __attribute__((section(".init_array"), used)) static void (*entry)(void) = early;
        int main() { return 1; }
    """, language="c"),
    attack(60, "preloading for whoever comes next", "AC", """
        #include <stdio.h>
        #include <stdlib.h>
        int main() { puts(getenv("LD_PRELOAD") || getenv("PYTHONHASHSEED") ? "set" : "4711"); }
    """, before=("import os\nos.environ['LD_PRELOAD'] = '/tmp/x.so'\nos.putenv('LD_PRELOAD', '/tmp/x.so')\n",), language="c"),
    attack(37, "nothing that compiles", "CE", "def f(:\n", stdout=""),
    attack(37, "nothing that compiles, in C++", "CE", "int main( {", language="cpp", stdout=""),
    attack(37, "brackets without end", "CE", "(" * 100_000),
    attack(37, "a source with a byte that no source has", "CE", "print(4711)\0"),
    attack(37, "a source in an encoding that does not exist", "CE", "# -*- coding: nothing -*-\nprint(4711)"),
    attack(37, "half a character in the source", "CE", "print('\ud800')"),
    attack(46, "a constant that takes for ever", "CE TLE MLE RE", "x = " + "+".join(["1"] * 200_000)),
    attack(39, "flags in the source", "CE", '#pragma GCC plugin "x"\n#pragma GCC poison main\nint main() {}', language="c"),
)  # fmt: skip
