# One title for each refusal code: problem-<code>.
problem-not_found = Không tìm thấy
