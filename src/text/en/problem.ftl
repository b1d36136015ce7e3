# One title for each refusal code: problem-<code>.
problem-not_found = Not found
