//! Whether what is in a folder may be run: only if nobody else can have put it there.

use std::path::Path;

/// Why somebody other than this user and root may have put `path` there or changed it. `None` if
/// nobody else can, or if nothing is there.
#[cfg(unix)]
pub(crate) fn distrust(path: &Path) -> Option<String> {
    use std::{
        fs,
        os::unix::fs::{MetadataExt, PermissionsExt},
    };

    use nix::unistd::geteuid;

    let metadata = fs::metadata(path).ok()?;
    let (mode, owner) = (metadata.permissions().mode(), metadata.uid());
    let path = path.display();
    if owner != geteuid().as_raw() && owner != 0 {
        return Some(format!("{path} belongs to another user (uid {owner})"));
    }
    let by_group = mode & 0o020 != 0 && !is_own_group(owner, metadata.gid());
    if mode & 0o002 != 0 || by_group {
        return Some(format!(
            "other users can write to {path} (`chmod go-w` would change that)"
        ));
    }
    None
}

/// Whether the group is one in which its owner is alone. Many systems give each user such a group
/// of the user's name, and let it write to what the user creates.
#[cfg(unix)]
fn is_own_group(user: u32, group: u32) -> bool {
    use nix::unistd::{Gid, Group, Uid, User};

    let user = User::from_uid(Uid::from_raw(user)).ok().flatten();
    let group = Group::from_gid(Gid::from_raw(group)).ok().flatten();
    user.zip(group)
        .is_some_and(|(user, group)| user.gid == group.gid && user.name == group.name)
}

#[cfg(not(unix))]
pub(crate) fn distrust(_: &Path) -> Option<String> {
    None
}

#[cfg(all(test, unix))]
mod tests {
    use std::{
        fs::{self, Permissions},
        os::unix::fs::{PermissionsExt, chown},
    };

    use nix::unistd::geteuid;

    use super::distrust;

    #[test]
    fn only_what_nobody_else_can_write_is_trusted() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("program");
        assert_eq!(distrust(&path), None);

        fs::write(&path, "").unwrap();
        for (mode, trusted) in [(0o755, true), (0o700, true), (0o757, false), (0o777, false)] {
            fs::set_permissions(&path, Permissions::from_mode(mode)).unwrap();
            assert_eq!(distrust(&path).is_none(), trusted, "{mode:o}");
        }
    }

    #[test]
    fn a_users_own_group_is_trusted_and_other_groups_and_users_are_not() {
        if !geteuid().is_root() {
            eprintln!("skipped: only root can give files away");
            return;
        }
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path();
        fs::set_permissions(path, Permissions::from_mode(0o775)).unwrap();
        assert_eq!(distrust(path), None);

        chown(path, None, Some(65534)).unwrap();
        let reason = distrust(path).unwrap();
        assert!(reason.contains("other users can write to"), "{reason}");

        fs::set_permissions(path, Permissions::from_mode(0o755)).unwrap();
        assert_eq!(distrust(path), None);
        chown(path, Some(65534), None).unwrap();
        let reason = distrust(path).unwrap();
        assert!(reason.contains("another user (uid 65534)"), "{reason}");
    }
}
