"""Completions for PowerShell 5.1 and later, by Register-ArgumentCompleter -Native."""

from ..programs import Command, Option

_CODE = r"""
Register-ArgumentCompleter -Native -CommandName @(__PROGRAMS__) -ScriptBlock {
    param($current, $ast, $position)
    $typed = @($ast.CommandElements |
        Where-Object { $_.Extent.EndOffset -le $position } |
        ForEach-Object { $_.Extent.Text })
    if ($current -and $typed.Count -gt 1) { $typed = $typed[0..($typed.Count - 2)] }
    $name = [System.IO.Path]::GetFileNameWithoutExtension($typed[0])
    $command = $__msauth[$name]
    $waiting = $null
    foreach ($word in @($typed | Select-Object -Skip 1)) {
        if ($waiting) { $waiting = $null; continue }
        if ($word -eq '--') { return }
        if ($word.StartsWith('-')) {
            $option = $command.Options[$word]
            if ($option -and $option.Kind) { $waiting = $option }
        } elseif ($command.Wraps) {
            return
        } elseif ($__msauth.ContainsKey("$name $word")) {
            $name = "$name $word"
            $command = $__msauth[$name]
        }
    }
    $prefix = ''
    $part = $current
    if (-not $waiting -and $current -match '^(--[^=]+=)(.*)$') {
        $prefix = $Matches[1]
        $part = $Matches[2]
        $waiting = $command.Options[$prefix.TrimEnd('=')]
    }
    if ($waiting -and $waiting.Kind -eq 'assignment') {
        if ($part -notmatch '^([^=]+=)(.*)$') { return }
        $prefix += $Matches[1]
        $part = $Matches[2]
    }
    $found = if ($waiting -and $waiting.Kind -eq 'profile') {
        @(msauth completion --values profiles 2>$null)
    } elseif ($waiting) {
        $waiting.Values
    } elseif ($current.StartsWith('-')) {
        $command.Options.Keys | Sort-Object
    } else {
        $command.Words
    }
    $found | Where-Object { $_ -and $_.StartsWith($part) } | ForEach-Object {
        $about = if (-not $waiting -and $command.Options[$_].About) {
            $command.Options[$_].About
        } else { $_ }
        $text = $prefix + $_
        [System.Management.Automation.CompletionResult]::new($text, $_, 'ParameterValue', $about)
    }
}
"""


def script(commands: list[Command]) -> str:
    """Return the script."""
    programs = ", ".join(_single(each.name) for each in commands if " " not in each.name)
    tables = "".join(_table(command) for command in commands)
    return (
        "# PowerShell completions of msauth's programs, by `msauth completion powershell`.\n"
        f"$__msauth = @{{\n{tables}}}\n" + _CODE.replace("__PROGRAMS__", programs)
    )


def _table(command: Command) -> str:
    options = "".join(f"            {_option(option)}\n" for option in command.options)
    return (
        f"    {_single(command.name)} = @{{\n"
        f"        Wraps = ${str(command.wraps).lower()}\n"
        f"        Words = {_list(tuple(command.words))}\n"
        f"        Options = @{{\n{options}        }}\n    }}\n"
    )


def _option(option: Option) -> str:
    return (
        f"{_single(option.name)} = @{{ Kind = {_single(option.kind)}; "
        f"About = {_single(option.about)}; Values = {_list(option.values)} }}"
    )


def _list(values: tuple[str, ...]) -> str:
    return f"@({', '.join(map(_single, values))})"


def _single(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
