"""What runs inside a container. Standard library only, Python >= 3.9: its sources are sent in, and run as they are.

Reading order: supervisor (root; takes orders), trial (one test, policed), clearing (after it), forker (root; the warm
parent of every test), child (what a test's process does before the program's own code), cgroup. Then ``program`` (what
a program finds), ``testing`` (what judges it from another container), ``crossing`` (what passes between the two).
"""
