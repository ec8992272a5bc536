# Where programs by strangers run: interpreters, compilers and the libraries that such programs import. Nothing of
# tracemill is in it: the supervisor arrives over the container's stdin, so image and code cannot be of two versions.
# Any Debian-like base will do:
#   make sandbox-image [BASE=debian:bookworm-slim]
ARG BASE=debian:bookworm-slim
FROM ${BASE}
RUN apt-get update \
 && DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends \
      g++ libc6-dev python3 \
      python3-numpy python3-scipy python3-sympy python3-pandas python3-networkx python3-sortedcontainers python3-pytest \
 && rm -rf /var/lib/apt/lists/*
# bits/stdc++.h takes most of a compilation; with the flags that tracemill compiles with, g++ takes it ready-made.
RUN header=$(echo '#include <bits/stdc++.h>' | g++ -std=gnu++20 -O2 -x c++ -M - | tr ' ' '\n' | grep -m1 'bits/stdc++.h$') \
 && g++ -std=gnu++20 -O2 -x c++-header "$header" -o "$header.gch"
# No program may change who it is, and nothing is left that a run could write to.
RUN find / -xdev -type f -perm /6000 -exec chmod a-s {} + \
 && mkdir -p /box && chmod 711 /box
