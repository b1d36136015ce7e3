-- A payer's bank may ask its customer to prove more before it pays: a state of its own, since the payer must act there.
alter table payment drop constraint payment_state;
alter table payment add constraint payment_state check (
    case when state in ('created', 'submitted', 'step_up_required', 'accepted', 'unknown')
              then reason is null and ended_at is null
         when state = 'settled' then reason is null and ended_at is not null
         when state = 'rejected' then reason is not null and ended_at is not null
         else false end);
