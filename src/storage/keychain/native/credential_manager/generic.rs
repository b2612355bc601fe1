//! A generic credential of the Credential Manager, and the five calls that this program makes.

use zeroize::Zeroizing;

/// `CRED_PERSIST_LOCAL_MACHINE` (wincred.h): kept on this computer for all logon sessions of the user.
pub(super) const LOCAL_MACHINE: u32 = 2;

/// The attribute in which git-credential-wincred keeps the expiry (git: `contrib/credential/wincred`).
const EXPIRY: &str = "git_password_expiry_utc";

/// UTF-16 without the final zero.
pub(super) type WideText = Vec<u16>;

/// The fields of a `CREDENTIALW` of the type `CRED_TYPE_GENERIC`.
pub(super) struct GenericCredential {
    /// The name and the only key. Its case does not matter.
    pub(super) target: String,
    pub(super) user: Option<String>,
    pub(super) blob: Zeroizing<Vec<u8>>,
    pub(super) persist: u32,
    pub(super) attributes: Vec<CredentialAttribute>,
    pub(super) comment: Option<WideText>,
    pub(super) alias: Option<WideText>,
    pub(super) flags: u32,
    /// A `FILETIME`: 100 ns since 1601. The system sets it.
    pub(super) written: u64,
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct CredentialAttribute {
    pub(super) keyword: WideText,
    pub(super) flags: u32,
    pub(super) value: Vec<u8>,
}

/// A Win32 error number (winerror.h).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct ErrorCode(pub(super) u32);

impl ErrorCode {
    /// `ERROR_NOT_FOUND`: no such credential. A search without a match fails with it too.
    pub(super) const NOT_FOUND: Self = Self(1168);
    /// `ERROR_NO_SUCH_LOGON_SESSION`: the session has no Credential Manager, or a policy forbids it.
    pub(super) const NO_SESSION: Self = Self(1312);
    /// `ERROR_NOT_ENOUGH_MEMORY`: the hidden limit of the whole store is reached.
    pub(super) const FULL: Self = Self(8);
    /// `RPC_X_BAD_STUB_DATA`: a field is too long.
    pub(super) const TOO_LONG: Self = Self(1783);
}

/// The calls to the Credential Manager.
pub(super) trait GenericStore: Send {
    /// Returns the credentials whose target begins with `prefix`, in any case.
    fn list(&self, prefix: &str) -> Result<Vec<GenericCredential>, ErrorCode>;

    fn read(&self, target: &str) -> Result<GenericCredential, ErrorCode>;

    /// Replaces the credential with the same target.
    fn write(&self, credential: &GenericCredential) -> Result<(), ErrorCode>;

    fn delete(&self, target: &str) -> Result<(), ErrorCode>;

    /// The most lasting `CRED_PERSIST_*` of generic credentials in this logon session.
    fn most_lasting(&self) -> Result<u32, ErrorCode>;
}

impl GenericCredential {
    /// A new credential of this program, as git-credential-wincred makes one.
    pub(super) fn new(target: String, user: Option<String>) -> Self {
        Self {
            target,
            user,
            blob: Zeroizing::default(),
            persist: LOCAL_MACHINE,
            attributes: Vec::new(),
            comment: Some(wide("saved by git-credential-pat")),
            alias: None,
            flags: 0,
            written: 0,
        }
    }

    /// Returns the digits of the expiry, as git-credential-wincred keeps them: UTF-16 without a final zero.
    pub(super) fn expiry(&self) -> Option<String> {
        let keyword = wide(EXPIRY);
        let kept = self
            .attributes
            .iter()
            .find(|kept| kept.keyword == keyword)?;
        let units = kept.value.chunks_exact(2);
        let units: Vec<u16> = units
            .map(|unit| u16::from_le_bytes([unit[0], unit[1]]))
            .collect();
        let digits = String::from_utf16(&units).ok()?;
        let digits = digits.trim_end_matches('\0');
        let is_number = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
        is_number.then(|| digits.to_owned())
    }

    /// Replaces or removes the expiry. Keeps the attributes of other programs.
    pub(super) fn set_expiry(&mut self, digits: Option<&str>) {
        let keyword = wide(EXPIRY);
        let Some(digits) = digits else {
            self.attributes.retain(|kept| kept.keyword != keyword);
            return;
        };
        let value = digits.encode_utf16().flat_map(u16::to_le_bytes).collect();
        match self
            .attributes
            .iter_mut()
            .find(|kept| kept.keyword == keyword)
        {
            Some(kept) => kept.value = value,
            None => self.attributes.push(CredentialAttribute {
                keyword,
                flags: 0,
                value,
            }),
        }
    }
}

pub(super) fn wide(text: &str) -> WideText {
    text.encode_utf16().collect()
}
