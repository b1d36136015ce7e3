-- Numbers of transactions mean something in the cluster that gave them. A log that was restored into another one from a dump
-- brings its old numbers along, above or below those that are given here.
alter table tree_head
    add column cluster bigint not null default (pg_control_system()).system_identifier;  -- whose numbers `low_tx` is one of

-- low_tx: 0 where a restored log has leaves left that are to be found by no number, but by having no place.
comment on column tree_head.low_tx is 'every leaf of an older transaction of this cluster is placed below this size; 0: nothing is known';
