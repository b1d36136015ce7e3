-- A client has a few files under way at once, and what is over is found by its day.
CREATE INDEX verification_batch_receiving ON verification_batch (client_id) WHERE state = 'receiving';
CREATE INDEX verification_batch_created ON verification_batch (created_at);
CREATE INDEX slip_at ON slip (at);
CREATE INDEX first_check_day ON first_check (day);
