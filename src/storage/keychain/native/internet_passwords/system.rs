//! The calls to Keychain Services (Security framework, `SecItem.h`). None names the data-protection keychain: the items lie in
//! the file keychain.
#![allow(unsafe_code)]

use std::ptr;
use std::sync::{Mutex, PoisonError};

use core_foundation::array::CFArray;
use core_foundation::base::{CFType, TCFType};
use core_foundation::boolean::CFBoolean;
use core_foundation::data::CFData;
use core_foundation::date::CFDate;
use core_foundation::dictionary::CFDictionary;
use core_foundation::number::CFNumber;
use core_foundation::string::CFString;
use core_foundation_sys::base::{CFTypeRef, OSStatus};
use core_foundation_sys::string::CFStringRef;
use security_framework::os::macos::keychain::SecKeychain;
use security_framework_sys::base::SecKeychainRef;
use security_framework_sys::item as names;
use security_framework_sys::keychain_item::{
    SecItemAdd, SecItemCopyMatching, SecItemDelete, SecItemUpdate,
};
use zeroize::Zeroizing;

use super::fields::AUTHENTICATION;
use super::raw::{
    OsStatus, PasswordFields, PasswordItem, PasswordItems, PasswordQuery, RawResult, signed,
    unsigned,
};

// Missing in security-framework-sys, which links the framework.
unsafe extern "C" {
    static kSecAttrCreationDate: CFStringRef;
    static kSecAttrModificationDate: CFStringRef;
    static kSecMatchItemList: CFStringRef;
    static kSecValuePersistentRef: CFStringRef;

    fn SecKeychainGetStatus(keychain: SecKeychainRef, status: *mut u32) -> OSStatus;
}

/// `kSecUnlockStateStatus`.
const UNLOCKED: u32 = 1;

/// 1970 to 2001, the epoch of `CFAbsoluteTime`, in seconds.
const EPOCH: f64 = 978_307_200.0;

/// Apple asks programs to make these calls one at a time. It also guards the permission of prompts, which is the process's.
static TURN: Mutex<()> = Mutex::new(());

type Pairs = Vec<(CFString, CFType)>;

/// The keychains in the user's search list.
pub(super) struct SystemKeychain {
    may_prompt: bool,
}

impl SystemKeychain {
    pub(super) fn new(may_prompt: bool) -> Self {
        Self { may_prompt }
    }

    /// Makes a call, without prompts unless they are allowed.
    fn call<T>(&self, call: impl FnOnce() -> RawResult<T>) -> RawResult<T> {
        let _turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
        if self.may_prompt {
            return call();
        }
        let failed = |error: security_framework::base::Error| OsStatus(error.code());
        let _silence = SecKeychain::disable_user_interaction().map_err(failed)?;
        call()
    }
}

impl PasswordItems for SystemKeychain {
    fn list(&self, query: PasswordQuery<'_>) -> RawResult<Vec<PasswordItem>> {
        // SAFETY: constants of the linked frameworks.
        let mut pairs = unsafe {
            vec![
                pair(names::kSecMatchLimit, constant(names::kSecMatchLimitAll)),
                pair(names::kSecReturnAttributes, CFBoolean::true_value()),
                pair(names::kSecReturnPersistentRef, CFBoolean::true_value()),
            ]
        };
        let (class, name, value) = match query {
            // SAFETY: as above.
            PasswordQuery::Internet { server } => unsafe {
                let authentication = CFString::new(AUTHENTICATION);
                pairs.push(pair(names::kSecAttrAuthenticationType, authentication));
                (
                    names::kSecClassInternetPassword,
                    names::kSecAttrServer,
                    server,
                )
            },
            // SAFETY: as above.
            PasswordQuery::Generic { service } => unsafe {
                (
                    names::kSecClassGenericPassword,
                    names::kSecAttrService,
                    service,
                )
            },
        };
        // SAFETY: as above.
        pairs.push(unsafe { pair(names::kSecClass, constant(class)) });
        pairs.extend(value.map(|value| pair(name, CFString::new(value))));
        let found = self.call(|| copy_matching(&pairs))?;
        let found = found.downcast::<CFArray>().ok_or(ODD)?;
        let mut items = Vec::new();
        for item in found.get_all_values() {
            // SAFETY: the array holds the item, and `wrap_under_get_rule` takes a reference of its own.
            let item = unsafe { CFType::wrap_under_get_rule(item) };
            let item = item.downcast::<CFDictionary>().ok_or(ODD)?;
            items.extend(parsed(&Row(item), query));
        }
        Ok(items)
    }

    fn secret(&self, item: &PasswordItem) -> RawResult<Zeroizing<Vec<u8>>> {
        let mut pairs = naming(item);
        // SAFETY: a constant of the linked framework.
        pairs.push(unsafe { pair(names::kSecReturnData, CFBoolean::true_value()) });
        let found = self.call(|| copy_matching(&pairs))?;
        let data = found.downcast::<CFData>().ok_or(ODD)?;
        Ok(Zeroizing::new(data.bytes().to_vec()))
    }

    fn add(&self, fields: &PasswordFields, label: &str, secret: &[u8]) -> RawResult<()> {
        let mut pairs = described(fields);
        // SAFETY: constants of the linked framework.
        unsafe {
            pairs.push(pair(names::kSecAttrLabel, CFString::new(label)));
            pairs.push(pair(names::kSecValueData, CFData::from_buffer(secret)));
        }
        let attributes = CFDictionary::from_CFType_pairs(&pairs);
        let attributes = attributes.as_concrete_TypeRef();
        // SAFETY: the dictionary is valid, and no result is wanted.
        self.call(|| checked(unsafe { SecItemAdd(attributes, ptr::null_mut()) }))
    }

    fn update(&self, item: &PasswordItem, secret: &[u8]) -> RawResult<()> {
        let query = CFDictionary::from_CFType_pairs(&naming(item));
        // SAFETY: a constant of the linked framework.
        let data = unsafe { pair(names::kSecValueData, CFData::from_buffer(secret)) };
        let changes = CFDictionary::from_CFType_pairs(&[data]);
        let (query, changes) = (query.as_concrete_TypeRef(), changes.as_concrete_TypeRef());
        // SAFETY: both dictionaries are valid.
        self.call(|| checked(unsafe { SecItemUpdate(query, changes) }))
    }

    fn delete(&self, item: &PasswordItem) -> RawResult<()> {
        let query = CFDictionary::from_CFType_pairs(&naming(item));
        let query = query.as_concrete_TypeRef();
        // SAFETY: the dictionary is valid.
        self.call(|| checked(unsafe { SecItemDelete(query) }))
    }

    fn is_unlocked(&self) -> RawResult<bool> {
        let mut status = 0;
        self.call(|| {
            // SAFETY: no keychain means the default one, and `status` is a valid place for the answer.
            checked(unsafe { SecKeychainGetStatus(ptr::null_mut(), &raw mut status) })
        })?;
        Ok(status & UNLOCKED != 0)
    }
}

/// An answer of another type than documented (`errSecDecode`).
const ODD: OsStatus = OsStatus(-26275);

fn checked(status: OSStatus) -> RawResult<()> {
    match status {
        0 => Ok(()),
        status => Err(OsStatus(status)),
    }
}

fn pair(name: CFStringRef, value: impl TCFType) -> (CFString, CFType) {
    (constant(name), value.into_CFType())
}

/// `name` is a constant of a framework.
fn constant(name: CFStringRef) -> CFString {
    // SAFETY: the constants live as long as the process.
    unsafe { CFString::wrap_under_get_rule(name) }
}

fn copy_matching(pairs: &Pairs) -> RawResult<CFType> {
    let query = CFDictionary::from_CFType_pairs(pairs);
    let mut found: CFTypeRef = ptr::null();
    // SAFETY: the dictionary is valid, and `found` is a valid place for the answer.
    checked(unsafe { SecItemCopyMatching(query.as_concrete_TypeRef(), &raw mut found) })?;
    if found.is_null() {
        return Err(ODD);
    }
    // SAFETY: the call returned an object that is ours to release.
    Ok(unsafe { CFType::wrap_under_create_rule(found) })
}

/// The query for this one item.
fn naming(item: &PasswordItem) -> Pairs {
    let reference = CFData::from_buffer(&item.reference);
    let list = CFArray::from_CFTypes(&[reference]).into_untyped();
    // SAFETY: constants of the linked framework.
    unsafe {
        let class = match item.fields {
            PasswordFields::Internet { .. } => names::kSecClassInternetPassword,
            PasswordFields::Generic { .. } => names::kSecClassGenericPassword,
        };
        vec![
            pair(names::kSecClass, constant(class)),
            pair(kSecMatchItemList, list),
        ]
    }
}

/// Every attribute of a new item: one that is left out would not be found by a query that names it.
fn described(fields: &PasswordFields) -> Pairs {
    // SAFETY: constants of the linked framework.
    unsafe {
        match fields {
            PasswordFields::Internet {
                server,
                port,
                path,
                account,
                protocol,
                authentication,
                domain: _,
            } => vec![
                pair(names::kSecClass, constant(names::kSecClassInternetPassword)),
                pair(names::kSecAttrServer, CFString::new(server)),
                pair(
                    names::kSecAttrPort,
                    CFNumber::from(i32::from(signed(*port))),
                ),
                pair(names::kSecAttrPath, CFString::new(path)),
                pair(names::kSecAttrAccount, CFString::new(account)),
                pair(names::kSecAttrProtocol, CFString::new(protocol)),
                pair(
                    names::kSecAttrAuthenticationType,
                    CFString::new(authentication),
                ),
            ],
            PasswordFields::Generic { service, account } => vec![
                pair(names::kSecClass, constant(names::kSecClassGenericPassword)),
                pair(names::kSecAttrService, CFString::new(service)),
                pair(names::kSecAttrAccount, CFString::new(account)),
            ],
        }
    }
}

/// One item of an answer.
struct Row(CFDictionary);

impl Row {
    fn value(&self, name: CFStringRef) -> Option<CFType> {
        let found = self.0.find(name.cast())?;
        // SAFETY: the dictionary holds the value, and `wrap_under_get_rule` takes a reference of its own.
        Some(unsafe { CFType::wrap_under_get_rule(*found) })
    }

    /// An attribute that is missing is empty.
    fn text(&self, name: CFStringRef) -> String {
        let text = self
            .value(name)
            .and_then(|value| value.downcast::<CFString>());
        text.map_or_else(String::new, |text| text.to_string())
    }

    fn number(&self, name: CFStringRef) -> i64 {
        let number = self
            .value(name)
            .and_then(|value| value.downcast::<CFNumber>());
        number.and_then(|number| number.to_i64()).unwrap_or(0)
    }

    fn moment(&self, name: CFStringRef) -> u64 {
        let date = self
            .value(name)
            .and_then(|value| value.downcast::<CFDate>());
        let seconds = date.map_or(0.0, |date| date.abs_time() + EPOCH);
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
        // A cast of a float saturates.
        let seconds = seconds as u64;
        seconds
    }
}

/// Reads an item. `simplify_dict` of security-framework would lose the port.
fn parsed(row: &Row, query: PasswordQuery<'_>) -> Option<PasswordItem> {
    // SAFETY: constants of the linked framework.
    unsafe {
        let reference = row.value(kSecValuePersistentRef)?.downcast::<CFData>()?;
        let fields = match query {
            PasswordQuery::Internet { .. } => PasswordFields::Internet {
                server: row.text(names::kSecAttrServer),
                port: unsigned(row.number(names::kSecAttrPort)),
                path: row.text(names::kSecAttrPath),
                account: row.text(names::kSecAttrAccount),
                protocol: row.text(names::kSecAttrProtocol),
                authentication: row.text(names::kSecAttrAuthenticationType),
                domain: row.text(names::kSecAttrSecurityDomain),
            },
            PasswordQuery::Generic { .. } => PasswordFields::Generic {
                service: row.text(names::kSecAttrService),
                account: row.text(names::kSecAttrAccount),
            },
        };
        Some(PasswordItem {
            reference: reference.bytes().to_vec(),
            fields,
            label: row.text(names::kSecAttrLabel),
            modified: row.moment(kSecAttrModificationDate),
            created: row.moment(kSecAttrCreationDate),
        })
    }
}
