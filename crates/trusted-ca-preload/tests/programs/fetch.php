<?php
// Fetches a page by a stream and by curl's library. Usage: fetch.php PORT BUNDLE
[, $port, $bundle] = $argv;
foreach ([1, 2] as $turn) {
    $context = stream_context_create(['ssl' => ['cafile' => $bundle]]);
    $page = @file_get_contents("https://localhost:$port/", false, $context);
    echo $page === false ? error_get_last()['message'] : 'fetched', "\n";

    $curl = curl_init("https://localhost:$port/");
    curl_setopt_array($curl, [CURLOPT_CAINFO => $bundle, CURLOPT_RETURNTRANSFER => true]);
    $got = curl_exec($curl);
    echo $got === false ? curl_error($curl) : curl_getinfo($curl, CURLINFO_RESPONSE_CODE), "\n";
}
exit($page === false || $got === false ? 1 : 0);
