# PowerShell completion for etcdive. In $PROFILE: etcdive completions powershell | Out-String | Invoke-Expression

Register-ArgumentCompleter -Native -CommandName etcdive -ScriptBlock {
    param($wordToComplete, $commandAst, $cursorPosition)
    $typed = @($commandAst.CommandElements |
        Where-Object { $_.Extent.EndOffset -lt $cursorPosition -or ($wordToComplete -eq '' -and $_.Extent.EndOffset -le $cursorPosition) } |
        ForEach-Object { $_.ToString() })
    $program = $typed[0]
    $words = @($typed | Select-Object -Skip 1)
    $lines = @(& $program __complete "--current=$wordToComplete" '--' @words 2>$null)
    $lines | Select-Object -Skip 1 | Where-Object { $_ } | ForEach-Object {
        $word, $about = $_ -split "`t", 2
        if (-not $about) { $about = $word }
        [System.Management.Automation.CompletionResult]::new($word, $word, 'ParameterValue', $about)
    }
    # Without candidates of ours PowerShell completes the names of files by itself.
}
