"""The demo's student: a base that knows some arithmetic, problems with the teacher's answers, and held-out problems."""
