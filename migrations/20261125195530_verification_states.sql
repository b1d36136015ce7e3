-- More that the register may say: a number just issued (`pending`), an answer about a former name or number (`former`),
-- and an answer from a copy of bounded age that the portal's policy accepts (`stale_accepted`).
ALTER TABLE verification DROP CONSTRAINT verification_state;
ALTER TABLE verification ADD CONSTRAINT verification_state CHECK
    (state IN ('match', 'no_match', 'not_on_record', 'pending', 'former', 'locked', 'deceased', 'stale_accepted',
               'source_unavailable'));
