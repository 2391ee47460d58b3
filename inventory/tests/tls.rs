//! Encrypted connections to a real PostgreSQL server that lets in no others.

mod common;

use std::{
    fs,
    os::unix::fs::{MetadataExt, PermissionsExt, chown},
    path::Path,
};

use common::{is_reserved, now, order, units};
use inventory::{Inventory, Location};
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};
use servers::Postgres;

/// Makes an authority that signs certificates, and writes its own one to `file`.
fn authority(file: &Path) -> Issuer<'static, KeyPair> {
    let mut params = CertificateParams::new([]).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    // Both have the same name, so that only the key tells one from the other.
    params
        .distinguished_name
        .push(DnType::CommonName, "authority");
    let key = KeyPair::generate().unwrap();
    fs::write(file, params.self_signed(&key).unwrap().pem()).unwrap();
    Issuer::new(params, key)
}

/// A server with a certificate for 127.0.0.1.
async fn encrypted(folder: &Path, authority: &Issuer<'static, KeyPair>) -> Postgres {
    let server = || Postgres::builder().folder(folder);
    drop(server().start().await.unwrap());
    let data = folder.join("data");
    let only_encrypted = "hostssl all all all scram-sha-256\nlocal all all trust\n";
    fs::write(data.join("pg_hba.conf"), only_encrypted).unwrap();
    let key = KeyPair::generate().unwrap();
    let params = CertificateParams::new(["127.0.0.1".to_owned()]).unwrap();
    let certificate = params.signed_by(&key, authority).unwrap();
    fs::write(data.join("server.crt"), certificate.pem()).unwrap();
    let key_file = data.join("server.key");
    fs::write(&key_file, key.serialize_pem()).unwrap();
    fs::set_permissions(&key_file, fs::Permissions::from_mode(0o600)).unwrap();
    let owner = fs::metadata(&data).unwrap();
    chown(&key_file, Some(owner.uid()), Some(owner.gid())).unwrap();
    server().setting("ssl", "on").start().await.unwrap()
}

#[tokio::test]
async fn a_database_is_reached_over_tls_and_only_if_its_certificate_is_trusted() {
    let folder = tempfile::tempdir().unwrap();
    let (trusted, other) = (
        folder.path().join("ca.pem"),
        folder.path().join("other.pem"),
    );
    let signing = authority(&trusted);
    authority(&other);
    let server = encrypted(&folder.path().join("database"), &signing).await;
    let (trusted, other) = (trusted.display(), other.display());
    let url = server.url();
    let inventory_at = async |url: &str, settings: &str| {
        let location = Location::from(format!("{url}?{settings}").as_str());
        Inventory::open(&location, now).await
    };

    let verified = format!("sslmode=verify-full&sslrootcert={trusted}");
    for (number, settings) in ["sslmode=prefer", "sslmode=require", &verified]
        .into_iter()
        .enumerate()
    {
        let inventory = inventory_at(&url, settings).await.unwrap();
        let placement = order(number as u32);
        let reserved = inventory.reserve(&placement, &units(1)).await;
        assert!(is_reserved(&reserved.unwrap()), "{settings}");
    }

    const REMEDY: &str = "check the address, and the certificates that sslrootcert names";
    let password = url.split([':', '@']).nth(2).unwrap();
    let elsewhere = url.replace("127.0.0.1", "localhost");
    for (url, settings, reason) in [
        (&url, "sslmode=disable", "no encryption"),
        (&url, "sslmode=verify-full", REMEDY),
        (&url, &format!("sslrootcert={other}"), REMEDY),
        (&elsewhere, &verified, "not valid for name \"localhost\""),
    ] {
        let error = inventory_at(url, settings).await.err().unwrap();
        let text = error.to_string();
        assert!(text.contains("cannot connect to the inventory"), "{text}");
        assert!(text.contains(reason), "{settings}: {text}");
        let shown = format!("{text} {error:?}");
        assert!(!shown.contains(password), "{shown}");
    }
}
