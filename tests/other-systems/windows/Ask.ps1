# Read by the scripts in this folder, for PowerShell 7. $env:PROGRAM is the absolute path of git-credential-pat.exe.

Set-StrictMode -Version Latest
$ErrorActionPreference = 'Stop'
if (-not $env:PROGRAM) { throw 'PROGRAM names no program' }

# Hosts that no other run and no other test has.
$Unique = "t$PID-$(Get-Random)"
$Scratch = (New-Item -ItemType Directory -Path (Join-Path ([IO.Path]::GetTempPath()) "git-credential-pat.$Unique")).FullName
$env:GIT_CONFIG_GLOBAL = Join-Path $Scratch 'gitconfig'
$env:GIT_TERMINAL_PROMPT = '0'
$env:GCM_INTERACTIVE = 'never'
Set-Content -Path $env:GIT_CONFIG_GLOBAL -Value ''

function Assert([bool] $Condition, [string] $Text) {
    if (-not $Condition) { throw "FAILED: $Text" }
}

# Runs a program with bytes as input, as git does: LF ends a line. Waits at most $Seconds.
function Invoke-Program([string] $Program, [string[]] $Words, [string[]] $Lines, [int] $Seconds = 30) {
    $start = [Diagnostics.ProcessStartInfo]::new($Program)
    foreach ($word in $Words) { $start.ArgumentList.Add($word) }
    $start.UseShellExecute = $false
    $start.RedirectStandardInput = $true
    $start.RedirectStandardOutput = $true
    $start.RedirectStandardError = $true
    $utf8 = [Text.UTF8Encoding]::new($false)
    $start.StandardOutputEncoding = $utf8
    $start.StandardErrorEncoding = $utf8
    $process = [Diagnostics.Process]::Start($start)
    $output = $process.StandardOutput.ReadToEndAsync()
    $said = $process.StandardError.ReadToEndAsync()
    $bytes = $utf8.GetBytes((($Lines + '') -join "`n") + "`n")
    try {
        $process.StandardInput.BaseStream.Write($bytes, 0, $bytes.Length)
        $process.StandardInput.Close()
    } catch [IO.IOException] {
        # A program that reads no input.
        Write-Verbose "$_"
    }
    if (-not $process.WaitForExit($Seconds * 1000)) {
        $process.Kill()
        throw "FAILED: $Program $Words took longer than $Seconds s"
    }
    Assert ($output.Wait($Seconds * 1000)) "standard output of $Program $Words stays open"
    Assert ($said.Wait($Seconds * 1000)) "standard error of $Program $Words stays open"
    [PSCustomObject]@{ Code = $process.ExitCode; Output = $output.Result; Said = $said.Result }
}

# Asks the program, of the keychain unless $Storage says otherwise.
function Ask([string] $Operation, [string[]] $Lines, [string[]] $Storage = @('--storage', 'keychain')) {
    Invoke-Program $env:PROGRAM ($Storage + $Operation) $Lines
}

function Assert-Line($Answer, [string] $Line) {
    Assert (($Answer.Output -split "`n") -ccontains $Line) "no line '$Line' in: $($Answer.Output) $($Answer.Said)"
}

function Assert-No($Answer, [string] $Text) {
    Assert (-not $Answer.Output.Contains($Text)) "'$Text' in: $($Answer.Output)"
}

# The Credential Manager itself: wincred.h.
Add-Type -TypeDefinition @'
using System;
using System.Collections.Generic;
using System.ComponentModel;
using System.Runtime.InteropServices;
using System.Text;

public class Item
{
    public string Target, User, Comment;
    public byte[] Secret;
    public uint Persist;
    public Dictionary<string, string> Attributes = new Dictionary<string, string>();
}

public static class Manager
{
    [StructLayout(LayoutKind.Sequential, CharSet = CharSet.Unicode)]
    struct Credential
    {
        public uint Flags, Type;
        public string TargetName, Comment;
        public long LastWritten;
        public uint BlobSize;
        public IntPtr Blob;
        public uint Persist, AttributeCount;
        public IntPtr Attributes;
        public string TargetAlias, UserName;
    }

    [StructLayout(LayoutKind.Sequential, CharSet = CharSet.Unicode)]
    struct Attribute
    {
        public string Keyword;
        public uint Flags, ValueSize;
        public IntPtr Value;
    }

    [DllImport("advapi32", CharSet = CharSet.Unicode, SetLastError = true)]
    static extern bool CredReadW(string target, uint type, uint flags, out IntPtr credential);
    [DllImport("advapi32", CharSet = CharSet.Unicode, SetLastError = true)]
    static extern bool CredWriteW(ref Credential credential, uint flags);
    [DllImport("advapi32", CharSet = CharSet.Unicode, SetLastError = true)]
    static extern bool CredDeleteW(string target, uint type, uint flags);
    [DllImport("advapi32")]
    static extern void CredFree(IntPtr credential);

    public static Item Read(string target)
    {
        IntPtr found;
        if (!CredReadW(target, 1, 0, out found))
        {
            if (Marshal.GetLastWin32Error() == 1168) return null;
            throw new Win32Exception();
        }
        var raw = Marshal.PtrToStructure<Credential>(found);
        var item = new Item { Target = raw.TargetName, User = raw.UserName, Comment = raw.Comment, Persist = raw.Persist };
        item.Secret = new byte[raw.BlobSize];
        if (raw.BlobSize > 0) Marshal.Copy(raw.Blob, item.Secret, 0, item.Secret.Length);
        for (int at = 0; at < raw.AttributeCount; at++)
        {
            var one = Marshal.PtrToStructure<Attribute>(raw.Attributes + at * Marshal.SizeOf<Attribute>());
            var value = new byte[one.ValueSize];
            Marshal.Copy(one.Value, value, 0, value.Length);
            item.Attributes[one.Keyword] = Encoding.Unicode.GetString(value);
        }
        CredFree(found);
        return item;
    }

    public static void Write(string target, string user, byte[] secret)
    {
        var blob = Marshal.AllocHGlobal(Math.Max(secret.Length, 1));
        Marshal.Copy(secret, 0, blob, secret.Length);
        var raw = new Credential { Type = 1, TargetName = target, UserName = user, Persist = 2, Blob = blob, BlobSize = (uint)secret.Length };
        var done = CredWriteW(ref raw, 0);
        var error = Marshal.GetLastWin32Error();
        Marshal.FreeHGlobal(blob);
        if (!done) throw new Win32Exception(error);
    }

    public static bool Delete(string target) { return CredDeleteW(target, 1, 0); }
}
'@

function Get-Text([byte[]] $Bytes) { [Text.Encoding]::Unicode.GetString($Bytes) }
