# im-import fetch, against a small server that pages as LeanCloud does: nothing
# lost at page borders, waiting, resuming, secrets.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use JSON::PP qw(decode_json);
use Test::More;
use Time::HiRes qw(sleep time);

use Test::Fetch;
use Test::IM;
use Test::LeanCloud;

# milliseconds with 1, 2, 3 ... messages over two conversations, so that page
# borders fall between messages of one

my (@rows, $time);
my @convs = map { sprintf '%024x', $_ } 1 .. 3;
for my $group (1 .. 24) {
    $time = 1_795_000_000_000 + 1000 * $group;
    push @rows, row($convs[($group + $_) % 2], $time, "text $group/$_") for 1 .. $group;
}

my $proj = "$dir/a";
mkdir $_ for $proj, "$proj/tables";
table("$proj/tables/_Conversation.0.jsonl", @convs);


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

done_testing;
