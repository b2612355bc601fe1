//! Files that the kernel makes up as they are read.

use std::fs::File;

/// Their file systems (statfs(2), linux/magic.h): procfs, sysfs, cgroup and cgroup2, debugfs, tracefs, securityfs, configfs,
/// bpf, pstore, efivarfs, `binfmt_misc`, selinuxfs, smackfs, devpts, mqueue, fusectl, nsfs.
#[cfg(target_os = "linux")]
const KERNELS: [u64; 18] = [
    0x0000_9fa0,
    0x6265_6572,
    0x0027_e0eb,
    0x6367_7270,
    0x6462_6720,
    0x7472_6163,
    0x7363_6673,
    0x6265_6570,
    0xcafe_4a11,
    0x6165_676c,
    0xde5e_81e4,
    0x4249_4e4d,
    0xf97c_ff8c,
    0x4341_5d53,
    0x0000_1cd1,
    0x1980_0202,
    0x6573_5543,
    0x6e73_6673,
];

/// Whether a file belongs to the kernel, such as `/proc/cmdline`: its owner and mode say nothing about who writes the
/// content. If the system does not tell, the file counts as one.
#[cfg(target_os = "linux")]
pub fn is_kernels(file: &File) -> bool {
    rustix::fs::fstatfs(file).map_or(true, |found| {
        // Its type differs from one processor to another.
        let kind = u64::from(u32::try_from(found.f_type & 0xffff_ffff).unwrap_or(u32::MAX));
        KERNELS.contains(&kind)
    })
}

#[cfg(not(target_os = "linux"))]
pub fn is_kernels(_: &File) -> bool {
    false
}

#[cfg(target_os = "linux")]
#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_of_the_kernel_are_told_from_others() {
        for path in ["/proc/self/environ", "/proc/version", "/sys/kernel/notes"] {
            if let Ok(file) = File::open(path) {
                assert!(is_kernels(&file), "{path}");
            }
        }
        assert!(is_kernels(&File::open("/proc/self/status").unwrap()));
        assert!(!is_kernels(&tempfile::tempfile().unwrap()));
        assert!(!is_kernels(
            &File::open(std::env::current_exe().unwrap()).unwrap()
        ));
    }
}
