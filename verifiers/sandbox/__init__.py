"""Where programs by strangers run. Reading order: protocol, then docker_sandbox and what it starts in a container."""
