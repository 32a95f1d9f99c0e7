# im-import map: tables and pages of LeanCloud become batches, and every row is
# accounted for.

use strict;
use warnings;
use utf8;

use FindBin;
use lib "$FindBin::Bin/lib";

use File::Temp qw(tempdir);
use JSON::PP;
use Test::More;

use Test::IM;

my $import = "$Test::IM::ROOT/docs/import";
my $dir = tempdir('im-map-test-XXXXXXXX', TMPDIR => 1, CLEANUP => 1);
my $json = JSON::PP->new->utf8->canonical->allow_nonref;
my ($n, $status, $out, $report) = (0);
my $T = 1_795_000_000_000;      # times are counted from here
my $sample = "$import/sample";
my @sample = ('--tables', "$sample/_Conversation.0.jsonl", '--pages', "$sample/messages.json");


# --- every option is in the help of its command, and no other

{
    my $source = slurp("$import/im-import");
    while ($source =~ /^    (\w+) +=> \[ \\&\w+, qw\((.*?)\) \]/msg) {
        my ($command, @options) = ($1, map { s/[=!].*//r } split ' ', $2);
        my $help = qx($import/im-import $command --help);
        my %has = map { s/^no-(?=app|conversations)//r => 1 } $help =~ /^ +--([a-z-]+)/mg;
        is_deeply([ sort keys %has ], [ sort @options ], "$command --help");
    }
}


# --- the samples

{
    my $p = map_(@sample);
    is($status, 0, 'the samples');
    my %conv = map { $_->{conv_id} => $_ } lines("$p/conversations.jsonl");
    is_deeply([ map { "$_->{conv_type} $_->{mapped}/$_->{rows}" }
                @conv{map { "6731c2${_}" } qw(a45f0e4b19d8a7c301 b95f0e4b19d8a7c302 cf5f0e4b19d8a7c303)} ],
              [ '0 8/9', '1 7/7', '1 5/6' ], 'A 8 of 9, B 7 of 7, C 5 of 6');
    is_deeply([ map { $_->{why} } lines("$p/skipped.jsonl") ], [qw(recalled binary)],
              'the recalled and the binary one are skipped');
    is($report->{adds_up}, 1, 'the counts add up');
    is($report->{messages}{rows}, 22, 'all rows');

    my ($x, $y, $z) = lines("$p/batches.jsonl");
    is_deeply([ map { "$_->{msg_type} $_->{msg}" } @{ $x->{messages} }[2 .. 5] ],
              [ '1 https://files.example.test/aQ3xSample01/IMG_0412.jpg',
                '2 https://files.example.test/bR7ySample02/record_1',
                '3 https://files.example.test/cS1zSample03/clip.mov',
                "0 在这里等你\ngeo:30.27408,120.15507" ], 'typed bodies');
    is($x->{messages}[7]{msg}, qq(plain text from an old client: "quotes", \\ and a\nline break),
       'plain text');
    is($x->{messages}[1]{msg}, '好呀😄👍🏽 👨‍👩‍👧', 'emoji');
    is_deeply([ map { $_->{msg} } @{ $z->{messages} }[1 .. 3] ],
              [ '{"_lctype":1,"ecode":"smile-07"}', '{"hello":1}', '12345' ],
              'own types, and plain text that is JSON, as they came');
    is_deeply([ map { $_->{msg} } @{ $y->{messages} }[4, 5] ],
              [ 'same ms, first', 'same ms, second' ], 'the order within a millisecond');
    is_deeply([ map { ref \$_->{from_time} eq 'SCALAR' && $_->{from_time} }
                @{ $y->{messages} }[4, 5] ], [ 1795075380500, 1795075380500 ], 'times');
    is_deeply({ %$y, messages => undef }, { conv_id => '6731c2b95f0e4b19d8a7c302',
        conv_type => 1, conv_users => [qw(u_lan u_mo u_qi)], owner_id => 'u_lan',
        name => '周末爬山 🏔️', img => 'https://files.example.test/gW8tSample07/g.png',
        created => 1784000240992, messages => undef }, 'the head of a group');
    is_deeply({ %$x, messages => undef }, { conv_id => '6731c2a45f0e4b19d8a7c301',
        conv_type => 0, conv_users => [qw(u_lan u_mo)], created => 1780391411120,
        messages => undef }, 'the head of a 1:1');

    my $batches = slurp("$p/batches.jsonl");
    put("$dir/lib/Hide.pm", q(package Hide; $INC{'Cpanel/JSON/XS.pm'} = undef; 1;));
    local $ENV{PERL5OPT} = "-I$dir/lib -MHide";
    my $pp = map_(@sample);
    is($status, 0, 'with JSON::PP alone');
    is(slurp("$pp/batches.jsonl"), $batches, 'the same bytes');
    delete local $ENV{PERL5OPT};

    my $dry = map_(@sample, '--dry-run');
    is($status, 0, '--dry-run');
    like($out, qr/22 messages, 3 conversations/, 'reports');
    ok(!-e $dry, 'and writes nothing');


    # the forms that tables come in

    my @rows = grep { !/^#/ } split /(?<=\n)/, slurp("$sample/_Conversation.0.jsonl");
    my $head = qq(#filetype:JSON-streaming {"type":"Class","class":"_Conversation"}\n);
    my @none = ('--pages', "$sample/messages.json");
    mkdir "$dir/t$_" for 1 .. 6;
    put("$dir/t1/_Conversation.json", '[' . join(",", @rows) . ']');
    put("$dir/t2/_Conversation.0.json", '{"cursor":null,"results": [' . join(",\n", @rows) . '],"x":[1]}');
    put("$dir/t3/_Conversation.0.jsonl", $head . $rows[0]);
    put("$dir/t3/_Conversation.1.jsonl", join '', @rows[1, 2]);
    put("$dir/t4/export.jsonl", "$head\n" . join("\n", @rows));
    put("$dir/t5/rows.jsonl", join '', @rows);
    put("$dir/t6/_Conversation.0.jsonl", $head . join '', @rows);
    system('gzip', "$dir/t6/_Conversation.0.jsonl");
    system('tar', '-czf', "$dir/export.tar.gz", '-C', "$dir/t3", '.');
    for (map({ "$dir/t$_" } 1 .. 4, 6), "_Conversation=$dir/t5/rows.jsonl", "$dir/export.tar.gz") {
        my $o = map_(@none, '--tables', $_);
        is(slurp("$o/batches.jsonl"), $batches, 'a table: ' . s{.*/}{}r);
    }
    map_(@none, '--tables', "$dir/t5");
    is($report->{tables}{unknown}, 3, 'rows of an unknown class are counted');
    is($report->{conversations}{'without a row'}, 3, 'and so are conversations without a row');
}


# --- what a conversation becomes

{
    my @convs = (
        # id, row, members that write, expected
        [ 'a1', { m => [qw(a b)], unique => JSON::PP::true }, 'ab' => 0 ],
        [ 'a2', { m => [qw(a b)], lm => 3 }, 'ab' => 1 ],
        [ 'b1', { m => [qw(a c)], lm => 1 }, 'a' => 1 ],
        [ 'b2', { m => [qw(c a)], lm => 2 }, 'a' => 0 ],
        [ 'c1', { m => [qw(a d)] }, 'a' => 0 ],
        [ 'c2', { m => [qw(a e)], name => 'x' }, 'a' => 1 ],
        [ 'c3', { m => [qw(a f)], attr => { type => 'repair' } }, 'a' => 1 ],
        [ 'c4', { m => [qw(a g)], attr => { type => 0 } }, 'a' => 0 ],
        [ 'c5', { m => [qw(a h)], unique => JSON::PP::true }, 'ax' => 1 ],
        [ 'c6', { m => [qw(a b c)], unique => JSON::PP::true }, 'a' => 1 ],
        [ 'c7', { m => [qw(a a)], unique => JSON::PP::true }, 'a' => 1 ],
        [ 'c8', { m => [] }, 'ab' => 'no members' ],
        [ 'c9', { tr => JSON::PP::true }, 'ab' => 'chat room' ],
        [ 'd1', { sys => JSON::PP::true }, 'ab' => 'system conversation' ],
        [ 'd2', { m => [qw(a i)], unique => JSON::PP::true }, '' => '1:1 without messages' ],
        [ 'd3', { m => [qw(a b c)] }, '' => 1 ],
        [ 'd4', { m => [ 'a', 'not an id', 'b', 'b' ] , name => 'x' }, 'a' => 1 ],
    );
    my (@table, @rows, $t);
    for (@convs) {
        my ($id, $row, $from) = @$_;
        push @table, { objectId => $id, createdAt => '2026-06-02T09:10:11.120Z', %$row,
            $row->{lm} ? (lm => { __type => 'Date', iso => "2026-06-0$row->{lm}T00:00:00.000Z" }) : () };
        push @rows, map { row($id, $_, 'x', ++$t) } split //, $from;
    }
    push @rows, row('zz', 'a', 'x', ++$t), row('', 'a', 'x', ++$t), 7,
        { %{ row('c1', 'a', 'x', 1) }, timestamp => 'soon' }, row('c1', 'not an id', 'x', ++$t);
    push @table, { objectId => 'not an id', m => [] }, { %{ $table[0] }, updatedAt => '1' };

    my @args = ('--tables', table(_Conversation => @table), '--pages', pages(@rows));
    my $is = sub {
        my %o = @_;
        my %got = map { $_->{conv_id} => $_->{skipped} && !ref $_->{skipped} ? $_->{skipped}
                        : $_->{conv_type} } lines(map_(@args, @{ $o{args} || [] }) . '/conversations.jsonl');
        my %want = ((map { $_->[0] => $_->[3] } @convs), zz => 'no row in _Conversation',
                    %{ $o{want} || {} });
        is_deeply(\%got, \%want, $o{name});
        is($report->{adds_up}, 1, 'it adds up');
    };
    $is->(name => 'the table of kinds');
    is($report->{conversations}{'skipped: id'}, 1, 'an id that cannot be');
    is($report->{conversations}{superseded}, 1, 'a row twice');
    is($report->{lost}{'members: id'}, 1, 'a member that cannot be');
    is_deeply([ @{ $report->{messages} }{ map { "skipped: $_" } 'field missing', 'not a JSON object',
        'timestamp', 'from is not an id that the API takes', 'no row in _Conversation' } ],
        [ (1) x 5 ], 'rows that cannot be');
    $is->(name => '--two-members pair', args => [qw(--two-members pair)],
          want => { c2 => 0, c3 => 0, d4 => 1, a2 => 1 });
    $is->(name => '--two-members group', args => [qw(--two-members group)],
          want => { b2 => 1, c1 => 1, c4 => 1 });
    $is->(name => '--group-marker', args => [qw(--group-marker attr.none)], want => { c3 => 0 });
    $is->(name => '--no-members, --rooms, --empty-pairs', want => { c8 => 1, c9 => 1, d2 => 0 },
          args => [qw(--no-members senders --rooms senders --empty-pairs)]);
}


# --- what a message becomes: data, (type and text, or the reason), options

{
    my $url = 'https://old.example.test/k/a.jpg';
    my $file = { url => $url, objId => 'f1', metaData => { name => 'a', duration => 1.5 } };
    my $text = JSON::PP->new->canonical;
    my $typed = sub { my $type = shift; return $text->encode({ _lctype => $type, @_ }) };
    my $own = $typed->(5, _lcfile => $file);
    my @cases = (
        [ $typed->(-1, _lctext => "a\x{10ffff}b"), 0 => "a\x{10ffff}b" ],
        [ $typed->(-1), undef, 'empty' ],
        [ $typed->(-1, _lctext => undef), undef, 'empty' ],
        [ $typed->(-1, _lctext => 5), 0 => '5' ],
        [ { _lctype => -1, _lctext => 'parsed' }, 0 => 'parsed' ],
        [ { hello => 1 }, 0 => '{"hello":1}' ],
        [ undef, undef, 'empty' ], [ '', undef, 'empty' ],
        [ 'null', 0 => 'null' ], [ '[1]', 0 => '[1]' ], [ '{"a":', 0 => '{"a":' ],
        [ '{"_lctype":"-1","_lctext":"x"}', 0 => '{"_lctype":"-1","_lctext":"x"}' ],
        [ $typed->(0, _lctext => 'x'), 0 => $typed->(0, _lctext => 'x') ],
        [ $typed->(-7, _lctext => 'x'), 0 => 'x' ],
        [ $typed->(-7), 0 => $typed->(-7) ],
        [ "a\0b", 0 => "a\x{fffd}b" ],
        [ '{"_lctype":-1,"_lctext":"\\ud800x\\ud83d\\ude00"}', 0 => "\x{fffd}x\x{1f600}" ],
        [ $typed->(-2, _lcfile => $file), 1 => $url ],
        [ $typed->(-2, _lctext => 'only this'), 0 => 'only this' ],
        [ $typed->(-2), undef, 'no_url' ],
        [ $typed->(-6, _lcfile => { objId => 'f1' }), undef, 'no_url' ],
        [ $typed->(-5, _lcloc => { latitude => -1.5, longitude => 2 }), 0 => 'geo:-1.5,2' ],
        [ $typed->(-5), undef, 'empty' ],
        [ $own, 0 => $own ],
        [ $typed->(5, _lctext => 't', _lcfile => $file), 0 => 't' ],
        [ $typed->(-127), undef, 'recalled' ],
        # with options
        [ $typed->(-127), 0 => '', [qw(--recalled empty)] ],
        [ $typed->(-127), 0 => 'gone', [qw(--recalled-text gone)] ],
        [ $typed->(-5, _lctext => 'here', _lcloc => { latitude => 1, longitude => 2 }),
          0 => 'here', [qw(--locations text)] ],
        [ $typed->(-5), undef, 'location', [qw(--locations skip)] ],
        [ $typed->(-5), 0 => $typed->(-5), [qw(--locations raw)] ],
        [ $own, 2 => $url, [qw(--custom 5=2)] ],
        [ $typed->(-3, _lcfile => $file), 2 => $typed->(-3, _lcfile => $file), [qw(--media raw)] ],
        [ $typed->(-2, _lcfile => $file), 1 => 'https://new.test/K1/b.jpg',
          [qw(--file-base https://new.test/)] ],
        [ $typed->(-6, _lcfile => { objId => 'f1' }), 4 => 'https://new.test/K1/b.jpg',
          [qw(--file-base https://new.test)] ],
        [ $typed->(-2, _lcfile => { url => $url, objId => 'f9' }), 1 => $url,
          [qw(--file-base https://new.test)] ],
        [ $typed->(-2, _lcfile => $file), 1 => 'https://new.test/k/a.jpg',
          [qw(--rewrite https://old.example.test/=https://new.test/)] ],
    );
    my %by;
    push @{ $by{ join ' ', @{ $_->[3] || [] } } }, $_ for @cases;
    for my $args (sort keys %by) {
        my @set = @{ $by{$args} };
        my $i = 0;
        my $o = map_('--tables', table(_Conversation => { objectId => 'c', m => [qw(a b c)] }),
                     '--tables', table(_File => { objectId => 'f1', key => 'K1/b.jpg' }),
                     '--pages', pages(map { row('c', 'a', $_->[0], ++$i) } @set), split / /, $args);
        my %got = map { $_->{msg_id} => [ $_->{msg_type}, $_->{msg} ] }
                  map { @{ $_->{messages} } } lines("$o/batches.jsonl");
        $got{$_->{msg_id}} = [ undef, $_->{why} ] for lines("$o/skipped.jsonl");
        is_deeply($got{"id+$_"}, [ @{ $set[$_ - 1] }[1, 2] ],
                  "$args " . substr $json->encode($set[$_ - 1][0]), 0, 60) for 1 .. @set;
        is($report->{adds_up}, 1, 'it adds up');
    }

    my $o = map_('--tables', table(_Conversation => { objectId => 'c', m => ['a'] }),
        '--pages', pages({ %{ row('c', 'a', 'AAEC', 1) }, bin => JSON::PP::true }),
        qw(--binary base64));
    is((lines("$o/batches.jsonl"))[0]{messages}[0]{msg}, 'AAEC', '--binary base64');

    # bytes that are no JSON text: a lone surrogate, not UTF-8, a broken row

    my $good = $json->encode(row('c', 'a', 'fine', 1));
    put("$dir/raw.json", '[' . join(',', $good, $good =~ s/fine/a\\ud800/r =~ s/id\+1/id+2/r,
        $good =~ s/fine/b\xff/r =~ s/id\+1/id+3/r, '{"to":"c"') . ']');
    $o = map_('--tables', table(_Conversation => { objectId => 'c', m => ['a'] }),
              '--pages', "$dir/raw.json");
    is_deeply([ sort map { $_->{msg} } @{ (lines("$o/batches.jsonl"))[0]{messages} } ],
              [ "a\x{fffd}", "b\x{fffd}", 'fine' ], 'a broken row costs no other');
    is($report->{messages}{rows}, 4, 'and is counted');
}


# --- users, unread counts, versions, sizes

{
    my @users = (
        { objectId => 'a', username => 'ann', nick => 'Ann', pic => 'https://x.test/a',
          password => 'hidden-pw', sessionToken => 'hidden-token', salt => 'hidden-salt' },
        { objectId => 'o2', username => 'b', nick => 'Bob',
          pic => { __type => 'File', id => 'f1' } },
        { objectId => 'o3', username => 'x', im => 'c', nick => "Cyd\0" },
        { objectId => 'o4', username => 'a', nick => 'not Ann' },
        { objectId => 'd', username => 'y' },
        { objectId => 'e', nick => 'n' x 300 },
        { objectId => 'nobody', nick => 'wrote nothing' },
    );
    my $t = 0;
    my @rows = map { row('c1', $_, "m$t", ++$t) } split //, 'aabbcca';
    my @args = ('--tables', table(_User => @users), '--tables', table(_File => { objectId => 'f1', key => 'K' }),
        '--tables', table(_Conversation => { objectId => 'c1', m => [qw(a b c d)], c => 'gone' },
                          { objectId => 'c2', m => [qw(a b e)], c => 'b' },
                          { objectId => 'c3', m => [qw(d e b)], name => '汉' x 60 }),
        '--tables', table(_ConversationMemberInfo => { cid => 'c1', clientId => 'c', role => 'Owner' },
                          { cid => 'c1', clientId => 'b', role => 'Manager' }),
        '--pages', pages(@rows), qw(--user-name nick --user-img pic --user-id im --file-base https://f.test));
    my $o = map_(@args);
    my ($call) = lines("$o/users.jsonl");
    is($call->{call}, 'user/set', 'profiles');
    is_deeply({ map { $_->{id} => [ @$_{qw(name img)} ] } @{ $call->{body}{users} } },
        { a => [ 'Ann', 'https://x.test/a' ], b => [ 'Bob', 'https://f.test/K' ],
          c => [ "Cyd\x{fffd}", undef ], e => [ 'n' x 256, undef ] },
        'by objectId, by username, by a column; a File as picture');
    unlike(join('', map { slurp($_) } glob "$o/*"), qr/hidden-/, 'no other column');
    my %conv = map { $_->{conv_id} => $_ } lines("$o/batches.jsonl");
    is_deeply([ map { $conv{$_}{owner_id} } qw(c1 c2 c3) ], [qw(c b d)],
              'owners: c, else of the roles, else the first');
    is($conv{c2}{name}, substr('Ann, Bob, ' . 'n' x 300, 0, 128), 'a name of the members');
    is($conv{c3}{name}, '汉' x 42, 'a name is cut at a character');
    ok(!exists $conv{c1}{unread}, 'all is read');

    put("$dir/unread", join '', map { $json->encode({ conv_id => 'c1', client_id => $_->[0],
        count => $_->[1] }) . "\n" } [ a => 1 ], [ b => 3 ], [ c => 100 ], [ z => 1 ]);
    $o = map_(@args, '--unread', "$dir/unread");
    my @lines = lines("$o/batches.jsonl");
    is_deeply([ map { $_->{unread} } grep { $_->{conv_id} } @lines ], [ JSON::PP::true, undef, undef ],
              'unread');
    # a: 1 of others is id+6; b: 3 of others are 5, 6, 7; c: all; d: none
    is_deeply([ map { "$_->{call} " . join ' ', @{ $_->{body} }{qw(from_id msg_id)} }
                grep { $_->{call} } @lines ],
              [ map { "conv/c1/read $_" } 'a id+5', 'b id+4', 'd id+7' ], 'read positions');

    # two pulls, one message twice in a walk, one id at two times

    my @first = map { row('c1', 'a', "v1 $_", 10 * $_) } 1 .. 5;
    my @second = ({ %{ $first[4] }, data => 'v2 5' }, $first[3]);
    my @third = ($first[3], { %{ $first[0] }, timestamp => $T + 99, data => 'another' }, $first[0]);
    $o = map_('--tables', table(_Conversation => { objectId => 'c1', m => ['a'] }),
              map { ('--pages', $_) } pages(@first, $first[1]), pages(@second), pages(@third));
    is_deeply([ map { "$_->{msg_id} $_->{msg}" } @{ (lines("$o/batches.jsonl"))[0]{messages} } ],
        [ 'id+10 v1 1', 'id+20 v1 2', 'id+30 v1 3', 'id+40 v1 4', 'id+50 v2 5', 'id+10~1795000000099 another' ],
        'the later version wins; one id at two times of a walk are two');
    is($report->{messages}{'superseded: with another content'}, 1, 'edits');
    is($report->{messages}{'superseded: the same'}, 4, 'and copies');

    # batches

    my @many = map { row('c1', 'a', 'x' x 100, $_) } 1 .. 2500;
    @args = ('--tables', table(_Conversation => { objectId => 'c1', m => ['a'] }), '--pages', pages(@many));
    $o = map_(@args);
    is_deeply([ map { scalar @{ $_->{messages} } } lines("$o/batches.jsonl") ], [ 1000, 1000, 500 ],
              'at most 1000 messages');
    my @order = map { $_->{from_time} } map { @{ $_->{messages} } } lines("$o/batches.jsonl");
    is_deeply(\@order, [ map { $T + $_ } 1 .. 2500 ], 'in order over all batches');
    $o = map_(@args, '--batch-bytes', 10_000);
    cmp_ok((sort { $b <=> $a } map { length } split /\n/, slurp("$o/batches.jsonl"))[0], '<', 10_300,
           'at most so many bytes');
}


# --- lines of a log, from the oldest to the newest, as pages

{
    put("$dir/log.jsonl", join '', map { $json->encode(row('c1', 'a', "l$_", 1 + int $_ / 10, $_)) . "\n" } 1 .. 30);
    my $o = map_('--tables', table(_Conversation => { objectId => 'c1', m => ['a'] }),
                 '--pages', "$dir/log.jsonl");
    is_deeply([ map { $_->{msg} } @{ (lines("$o/batches.jsonl"))[0]{messages} } ],
              [ map { "l$_" } 1 .. 30 ], 'a log of lines keeps its order');
}

done_testing;


sub row {
    my ($to, $from, $data, $time, $id) = @_;
    $id //= $time;
    return { to => $to, from => $from, data => $data, timestamp => $T + $time, bin => JSON::PP::false,
             'msg-id' => "id+$id", 'from-ip' => undef };
}


# rows from the oldest to the newest as a page, which is the other way round
sub pages {
    my (@rows) = @_;
    my $file = "$dir/page-" . ++$n . '.json';
    put($file, $json->encode([ reverse @rows ]));
    return $file;
}


sub table {
    my ($class, @rows) = @_;
    my $file = "$dir/tables-" . ++$n . "/$class.0.jsonl";
    put($file, join '', map { $json->encode($_) . "\n" } @rows);
    return $file;
}


# the directory with the result
sub map_ {
    my (@args) = @_;
    my $o = "$dir/out-" . ++$n;
    my $pid = open(my $fh, '-|') // die "fork: $!";
    if (!$pid) {
        open STDERR, '>&', \*STDOUT;
        exec "$import/im-import", 'map', '--dir', "$dir/none", '--out', $o, @args or die;
    }
    $out = do { local $/; <$fh> };
    close $fh;
    $status = $? >> 8;
    $report = -e "$o/report.json" ? $json->decode(slurp("$o/report.json")) : {};
    diag($out) if $status || $out =~ / at \S+ line /;
    return $o;
}


sub lines { return map { $json->decode($_) } split /\n/, slurp($_[0]) }


sub put {
    my ($file, $text) = @_;
    mkdir $file =~ s{/[^/]*$}{}r;
    open my $fh, '>:raw', $file or die "$file: $!";
    print {$fh} $text;
    close $fh;
}
