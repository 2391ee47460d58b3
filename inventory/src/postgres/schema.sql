-- Version 1. Tables are looked up in the connection's search_path, so one database can hold several
-- inventories in schemas of their own.

create table inventory_meta (
    version integer not null,
    id text not null
);

create sequence inventory_seq;

-- One row for each effect. The key is unique, so nothing happens twice. In the collation "C" all keys of an
-- order are neighbours, so that one index serves both the check and the search for an order's past.
create table inventory_ledger (
    seq bigint primary key,
    at timestamptz not null,
    order_id text not null,
    product_id text not null,
    change text not null,
    quantity bigint not null,
    in_stock integer,
    key text collate "C" not null unique,
    confirmation text,
    payment text,
    address text,
    more boolean not null,
    removed boolean not null
);

-- The stock that the ledger adds up to. Rows are updated often, so pages keep room for their new versions.
create table inventory_stock (
    product text primary key,
    in_stock integer not null check (in_stock >= 0),
    order_id text not null
) with (fillfactor = 50);
