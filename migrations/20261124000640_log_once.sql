-- What the load bench found in the way of the hot paths.

-- The details of a leaf and the leaf are written by one statement, and the sequencer reads the leaf that it places:
-- checking each of them again by key costs as much as writing the row. That a leaf which was placed is still there, and
-- that no place is empty, is what `chung audit verify` recomputes; leaves cannot be deleted (audit_leaf_append_only).
-- Without the key an erased detail and a leaf keep no lock on each other either.
ALTER TABLE audit_detail DROP CONSTRAINT audit_detail_leaf_id_fkey;
ALTER TABLE audit_place DROP CONSTRAINT audit_place_leaf_id_fkey;

-- The sequencer reads the newest leaves in the order of their transactions. A block range index knows nothing of pages
-- that were written since the last vacuum, which under load are all that it is asked for.
DROP INDEX audit_leaf_tx;
CREATE INDEX audit_leaf_tx ON audit_leaf (tx, id);

-- Messages to people are looked for five times a second, and must not be searched among waiting events.
CREATE INDEX outbox_due_message ON outbox (due_at) WHERE state = 'pending' AND topic = 'message';
