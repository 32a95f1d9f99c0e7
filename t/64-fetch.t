# im-import fetch, against a small server that pages as LeanCloud does: nothing
# lost at page borders, waiting, resuming, windows, secrets.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use File::Find;
use File::Temp qw(tempdir);
use JSON::PP qw(decode_json encode_json);
use POSIX ();
use Test::More;
use Time::HiRes qw(sleep time);

use Test::IM;
use Test::LeanCloud;

my $tool = "$Test::IM::ROOT/docs/import/im-import";
my $dir = tempdir('im-fetch-XXXXXXXX', TMPDIR => 1, CLEANUP => 1);
my ($app, $key) = ($Test::LeanCloud::APP, $Test::LeanCloud::KEY);
my $out;

# milliseconds with 1, 2, 3 ... messages over two conversations, so that page
# borders fall between messages of one; ids as they are there, with + and _

my (@rows, $time);
my @convs = map { sprintf '%024x', $_ } 1 .. 3;
for my $group (1 .. 24) {
    $time = 1_795_000_000_000 + 1000 * $group;
    push @rows, row($convs[($group + $_) % 2], $time, "text $group/$_") for 1 .. $group;
}

my $proj = "$dir/a";
mkdir $_ for $proj, "$proj/tables";
table("$proj/tables/_Conversation.0.jsonl", @convs);
$ENV{LC_APP_ID} = $app;
$ENV{LC_MASTER_KEY} = $key;


# --- secrets

{
    local $ENV{LC_MASTER_KEY};
    my $lc = server('secret');
    is(fetch($lc, $proj), 2, 'without a key');
    like($out, qr/LC_MASTER_KEY/, 'it is named');

    put("$dir/keys", "LC_APP_ID=$app\nLC_MASTER_KEY=$key\n");
    chmod 0640, "$dir/keys";
    is(fetch($lc, $proj, '--secrets', "$dir/keys"), 2, 'a file that others can read');
    like($out, qr/chmod 600/, 'is refused');
    is(@{ $lc->requests }, 0, 'before anything is asked');
    chmod 0600, "$dir/keys";
    is(fetch($lc, "$dir/keys-ok", '--secrets', "$dir/keys"), 0, 'a file of mode 600');

    $ENV{LC_MASTER_KEY} = 'wrong-key';
    is(fetch($lc, "$dir/wrong", '--tries', 3), 1, 'a wrong key');
    like($out, qr/401: Unauthorized: \*\*\*/, 'is reported without it');
    unlike($out . everything("$dir/wrong"), qr/wrong-key/, 'and is nowhere');
}

is(fetch(undef, "$dir/x", '--url', 'ftp://x'), 2, 'not a URL');
is(fetch(undef, "$dir/x", '--url', 'http://127.0.0.1:1', '--jobs', 9), 2, 'more than 8 at once');


# --- whole walks

{
    my $lc = server('whole', rows => \@rows, limit => 7, missing => { $convs[2] => 1 });
    is(fetch($lc, $proj, '--dry-run'), 0, 'a dry run');
    like($out, qr/4 walks/, 'counts');
    ok(!-e "$proj/pages", 'and stores nothing');

    $lc->tell(fail => '429 2');
    is(fetch($lc, $proj), 1, 'one conversation is not found');
    like($out, qr/1 walks with errors/, 'the others are fetched');
    my @errors = map { decode_json($_) } split /\n/, slurp("$proj/pages/0001/errors.jsonl");
    is(@errors, 1, 'one line for it');
    like($errors[0]{walk}, qr/$convs[2]/, 'with its id');
    like($errors[0]{error}, qr/404: Conversation not found/, 'and the reason');

    is_deeply([ sort map { $_->{'msg-id'} } pages("$proj/pages/0001/app") ],
              [ sort map { $_->{'msg-id'} } @rows ], 'each message once: the app');
    for my $c (@convs[0, 1]) {
        is_deeply([ map { $_->{'msg-id'} } pages("$proj/pages/0001/conv/" . substr($c, -2) . "/$c") ],
                  [ map { $_->{'msg-id'} } grep { $_->{to} eq $c } reverse @rows ],
                  "each message once, in the order received: $c");
    }

    my @requests = grep { $_->{status} == 200 } @{ $lc->requests };
    is_deeply([ grep { $_->{query}{limit} != 1000 } @requests ], [], 'limit=1000');
    is_deeply([ grep { defined $_->{query}{timestamp} xor defined $_->{query}{msgid} } @requests ],
              [], 'timestamp never without msgid');
    ok((grep { ($_->{query}{msgid} // '') =~ /\+/ } @requests), 'a plus was among them');
    my @files = sort glob "$proj/pages/0001/app/*";
    is(slurp($files[-1]), '[]', 'the last page is the empty one');
    is(slurp($files[0]), JSON::PP->new->utf8->canonical->encode([ (reverse @rows)[0 .. 6] ]),
       'pages are stored as they were received');
    is(grep({ $_->{headers}{'x-lc-key'} ne "$key,master" } @requests), 0, 'the key in a header');

    my $n = @{ $lc->requests };
    is(fetch($lc, $proj), 1, 'again');
    like($out, qr/3 had ended before/, 'what has ended is known');
    is(@{ $lc->requests }, $n + 1, 'only the one with an error is asked for again');
    unlike(everything($proj), qr/\Q$key/, 'no stored file has the key');
}


# --- waiting

{
    my $lc = server('wait', rows => [ @rows[0 .. 9] ]);
    $lc->tell(fail => '503 3');
    my $p = "$dir/wait";
    is(fetch($lc, $p, '--wait', 0.2, '--no-conversations', '--jobs', 1), 0, '503 is waited out');
    my @r = @{ $lc->requests };
    is_deeply([ map { $_->{status} } @r ], [ 503, 503, 503, 200, 200 ], 'by repeating');
    for (0 .. 2) {
        my $gap = $r[$_ + 1]{begin} - $r[$_]{end};
        cmp_ok($gap, '>=', 0.19 * 2 ** $_, "wait $_ has doubled");
    }
    $lc->tell(fail => '500 5');
    is(fetch($lc, "$dir/wait2", '--wait', 0.02, '--tries', 3, '--no-conversations'), 1,
       'not for ever');
    like($out, qr/app: 500: Too many/, 'and the walk is reported');
    $lc->tell(fail => '0 0');
    $lc->tell(cut => 2);
    is(fetch($lc, "$dir/wait2", '--wait', 0.02, '--no-conversations'), 0, 'answers that are cut');
    is(pages("$dir/wait2/pages/0001/app"), 10, 'are asked for again');
}


# --- killed and resumed; never more than 8 at once

{
    my $p = "$dir/kill";
    my @many = map { sprintf '%024x', $_ } 1 .. 40;
    my @rows = map { row($many[$_ % 40], 1_795_000_000_000 + int($_ / 3), "k $_") } 1 .. 1200;
    mkdir $_ for $p, "$p/tables";
    table("$p/tables/_Conversation.0.jsonl", @many);
    my $lc = server('kill', rows => \@rows, limit => 10);
    $lc->tell(slow => 0.02);

    my $kills = 0;
    while ($kills < 3) {
        my $pid = start($lc, $p, '--jobs', 8);
        sleep 0.3 + rand 0.4;
        last if waitpid($pid, 1);
        kill KILL => $pid;
        waitpid $pid, 0;
        $kills++;
    }
    cmp_ok($kills, '>=', 2, "killed $kills times");
    is(fetch($lc, $p, '--jobs', 8), 0, 'then left alone');
    is_deeply([ sort map { $_->{'msg-id'} } pages("$p/pages/0001/app") ],
              [ sort map { $_->{'msg-id'} } @rows ], 'each message once: the app');
    my @conv;
    push @conv, pages($_) for glob "$p/pages/0001/conv/*/*";
    is_deeply([ sort map { $_->{'msg-id'} } @conv ], [ sort map { $_->{'msg-id'} } @rows ],
              'each message once: conversations');
    my %asked;
    $asked{"$_->{path} " . ($_->{query}{msgid} // '')}++ for @{ $lc->requests };
    cmp_ok((sort { $b <=> $a } values %asked)[0], '<=', 1 + $kills,
           'only what was in flight is asked for again');
    $lc->stop;

    $lc = server('kill2', rows => \@rows, limit => 100);
    $lc->tell(slow => 0.02);
    is(fetch($lc, "$dir/kill2", '--tables', "$p/tables", '--jobs', 8), 0, '--jobs 8');
    my ($at_once, $most) = (0, 0);
    for (sort { $a->[0] <=> $b->[0] || $a->[1] <=> $b->[1] }
         map { ([ $_->{begin}, 1 ], [ $_->{end}, -1 ]) } @{ $lc->requests })
    {
        $at_once += $_->[1];
        $most = $at_once if $at_once > $most;
    }
    ok($most > 1 && $most <= 8, "several at once, at most 8: $most");
}


# --- signatures

{
    my $lc = server('sign', rows => \@rows, signed => 1);
    is(fetch($lc, "$dir/sign", '--auth', 'sign', '--tables', "$proj/tables"), 1,
       'an app that demands signed history');
    like($out, qr/403/, 'says so');
    is(grep({ defined $_->{headers}{'x-lc-key'} } @{ $lc->requests }), 0, 'the key is never sent');
    is(fetch($lc, "$dir/sign", '--auth', 'sign', '--client', 'u_lan',
             '--tables', "$proj/tables"), 0, 'with --client');
    is(pages("$dir/sign/pages/0001/conv/02/$convs[1]"),
       grep({ $_->{to} eq $convs[1] } @rows), 'it is fetched');
}


# --- the window is pulled again: edits and recalls

{
    my $p = "$dir/window";
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
    ok($old >= 94 && $old < 98, "--before: $old");
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


sub row {
    my ($to, $time, $text) = @_;
    my $id = substr unpack('H*', pack 'd', rand) . "+_$time$text", 0, 22;
    $id =~ tr/ /./;
    return { 'msg-id' => sprintf('%s%05d', substr($id, 0, 17), scalar our $n++), to => $to,
             'conv-id' => "${to}00000000", from => 'u_lan', timestamp => $time,
             bin => JSON::PP::false, 'from-ip' => '203.0.113.7',
             data => encode_json({ _lctype => -1, _lctext => $text }) };
}


sub table {
    my ($file, @ids) = @_;
    put($file, qq(#filetype:JSON-streaming {"type":"Class","class":"_Conversation"}\n)
        . join '', map { encode_json({ objectId => $_, m => [qw(u_lan u_mo)],
              name => 'n', createdAt => '2026-06-02T09:10:11.120Z' }) . "\n" } @ids);
}


sub server {
    my ($name, %o) = @_;
    return Test::LeanCloud->new("$dir/server-$name", %o)->start;
}


sub arguments {
    my ($lc, $project, @more) = @_;
    return ($tool, 'fetch', '--dir', $project, $lc ? ('--url', $lc->url) : (),
            (grep { $_ eq '--wait' } @more) ? () : ('--wait', 0.05), @more);
}


sub start {
    my @command = arguments(@_);
    my $pid = fork // die "fork: $!";
    return $pid if $pid;
    open STDOUT, '>', "$dir/out";
    open STDERR, '>&', \*STDOUT;
    exec @command or die;
}


sub fetch {
    my $pid = start(@_);
    waitpid $pid, 0;
    my $status = $? >> 8;
    $out = slurp("$dir/out");
    return $status;
}


# the rows of all pages, in order

sub pages {
    my ($path) = @_;
    return map { @{ decode_json(slurp($_)) } } sort glob "$path/*.json";
}


sub everything {
    my ($path) = @_;
    my $all = '';
    find(sub { $all .= slurp($_) if -f }, $path);
    return $all;
}


sub put {
    my ($file, $text) = @_;
    open my $fh, '>', $file or die "$file: $!";
    print {$fh} $text;
    close $fh;
}
