# im-import fetch: signed history, system conversations, and the window that is
# pulled again for what was edited and recalled.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Digest::SHA qw(sha1_hex);
use JSON::PP qw(decode_json encode_json);
use POSIX ();
use Test::More;
use Time::HiRes qw(time);

use Test::Fetch;
use Test::IM;
use Test::LeanCloud;


# --- signatures

{
    my @convs = map { sprintf '%024x', $_ } 1, 2;
    my $tables = table("$dir/sign-tables/_Conversation.0.jsonl", @convs);
    my @rows = map { row($convs[$_ % 2], 1_795_000_000_000 + $_, "text $_") } 1 .. 9;
    my $lc = server('sign', rows => \@rows, signed => 1);
    is(fetch($lc, "$dir/sign", '--auth', 'sign', '--tables', $tables), 1,
       'an app that demands signed history');
    like($out, qr/403/, 'says so');
    is(grep({ defined $_->{headers}{'x-lc-key'} } @{ $lc->requests }), 0, 'the key is never sent');
    is(fetch($lc, "$dir/sign", '--auth', 'sign', '--client', 'u_lan',
             '--tables', $tables), 0, 'with --client');
    is(pages("$dir/sign/pages/0001/conv/02/$convs[1]"),
       grep({ $_->{to} eq $convs[1] } @rows), 'it is fetched');
}


# --- system conversations

{
    my ($sys, $odd) = (sprintf('%024x', 99), 'a/b+c');
    my @sent = map { row($sys, 1_795_000_000_000 + $_, "s $_") } 1 .. 5;
    my $lc = server('system', subscribers => { $sys => { u_mo => \@sent, $odd => [ $sent[0] ] } });
    my $p = "$dir/system";
    put("$dir/subscribers", join '', map { encode_json({ conv_id => $sys, client_id => $_ }) . "\n" }
        'u_mo', $odd);
    is(fetch($lc, $p, '--no-conversations', '--subscribers', "$dir/subscribers"), 0, 'subscribers');
    mkdir "$p/tables";
    put("$p/tables/_SysMessage.0.jsonl", encode_json({ objectId => 'o1', msgId => 'up+1',
        conv => { __type => 'Pointer', objectId => $sys }, from => 'u_mo', bin => JSON::PP::false,
        data => 'a question', timestamp => 1_795_000_000_003 }) . "\n");
    $out = qx($tool map --dir $p);
    like($out, qr/7  skipped: system conversation/, 'skipped by default');
    is(scalar(() = $out =~ /All rows are accounted for/g), 1, 'and accounted for');
    $out = qx($tool map --dir $p --system pairs);
    like($out, qr/All rows are accounted for: 7 messages, 2 conv/, '--system pairs');
    my %conv = map { my $c = decode_json($_); ($c->{conv_users}[1] => $c) }
               split /\n/, slurp("$p/out/batches.jsonl");
    is_deeply([ map { "$_->{from_id} $_->{msg}" } @{ $conv{u_mo}{messages} } ],
              [ "$sys s 1", "$sys s 2", 'u_mo a question', map { "$sys s $_" } 3 .. 5 ],
              'both ways in one 1:1');
    is(@{ $conv{$odd}{messages} }, 1, 'whatever the id of the client');
    is($conv{u_mo}{conv_id}, substr(sha1_hex("$sys u_mo"), 0, 24), 'under the computed id');
}


# --- rows without `to`

{
    my $c = sprintf '%024x', 1;
    my @bare = map { my $m = row($c, 1_795_000_000_000 + $_, "b $_"); delete $m->{to}; $m } 1, 2;
    my $p = "$dir/bare";
    mkdir $_ for $p, "$p/tables";
    table("$p/tables/_Conversation.0.jsonl", $c);
    put("$dir/bare.json", encode_json([ reverse @bare ]));
    $out = qx($tool map --dir $p --pages $dir/bare.json);
    like($out, qr/2  mapped/, 'conv-id has it, too');
}


# --- the window is pulled again: edits and recalls

{
    my $p = "$dir/window";
    my @convs = sprintf '%024x', 1;
    my $now = int(time * 1000);
    my @rows = map { row($convs[0], $now - 10_000 * (100 - $_), "w $_") } 1 .. 100;
    my $lc = server('window', rows => \@rows, limit => 9);
    mkdir $_ for $p, "$p/tables";
    table("$p/tables/_Conversation.0.jsonl", $convs[0]);
    is(fetch($lc, $p), 0, 'the first pull');
    $lc->stop;

    $rows[98] = { %{ $rows[98] }, data => '{"_lctype":-1,"_lctext":"edited"}' };
    $rows[97] = { %{ $rows[97] }, data => '{"_lctype":-127}' };
    push @rows, row($convs[0], $now + $_, "new $_") for 1 .. 3;
    $lc = server('window2', rows => \@rows, limit => 9);
    is(fetch($lc, $p, '--window', '300s'), 0, 'the window');
    my @new = pages("$p/pages/0002/app");
    cmp_ok(@new, '>=', 33, 'has all of it');
    cmp_ok(@new, '<=', 33 + 9, 'and no more than a page beyond');

    $out = qx($tool map --dir $p 2>&1);
    is($?, 0, 'map') or diag($out);
    my @m = map { @{ decode_json($_)->{messages} } } split /\n/, slurp("$p/out/batches.jsonl");
    is(@m, 102, 'all but the recalled one');
    my ($recall) = map { decode_json($_) } split /\n/, slurp("$p/out/recalls.jsonl");
    is_deeply([ $recall->{call}, $recall->{body}{msg_id} ], [ 'msg/recall', $rows[97]{'msg-id'} ],
              'whose text may have been loaded');
    qx($tool map --dir $p --out $p/old --before 60s);
    my $old = () = slurp("$p/old/batches.jsonl") =~ /"msg_id"/g;
    ok($old >= 93 && $old < 98, "--before: $old");
    my ($day, $ms) = (POSIX::strftime('%Y-%m-%dT%H:%M:%S', gmtime $rows[50]{timestamp} / 1000),
                      sprintf '%03d', $rows[50]{timestamp} % 1000);
    qx($tool map --dir $p --out $p/old --before $day.${ms}Z);
    is((() = slurp("$p/old/batches.jsonl") =~ /"msg_id"/g), 50, 'or a time');
    is($m[97]{msg}, 'edited', 'the later pull wins');
    is($m[-1]{msg}, 'new 3', 'new ones are there');
    my $report = decode_json(slurp("$p/out/report.json"));
    is($report->{messages}{'superseded: with another content'}, 4, 'and the earlier ones are counted');
}

done_testing;
